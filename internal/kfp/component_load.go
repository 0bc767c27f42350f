package kfp

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp/source"
)

// maxComponents bounds what a graph brings with it.
const maxComponents = 1000

// load reads the component that a task of a graph refers to: from the graph
// itself, or by its URL, each URL once. It returns nil, with the reason
// reported, when that cannot be done.
func (b *v1Builder) load(ref v1Ref) *v1Component {
	switch {
	case ref.spec != nil:
		return b.v1(ref.spec)
	case ref.url == nil:
		b.errorf(ref.at, "unsupported", "add url or spec", "a component is found by its URL only")
		return nil
	}
	url := b.str(ref.url)
	c, ok := b.components[url]
	if ok {
		return c
	}
	b.components[url] = nil // so that a failure is reported once
	if len(b.components) > maxComponents {
		b.errorf(ref.url, "too-large", "", "the graph refers to more than %d components", maxComponents)
		return nil
	}
	c = b.fetch(ref, url)
	b.components[url] = c
	return c
}

func (b *v1Builder) fetch(ref v1Ref, url string) *v1Component {
	if b.options.Component == nil {
		b.errorf(ref.url, "unsupported", "put the component into the graph: componentRef: {spec: …}", "the component is in another file")
		return nil
	}
	name, src, err := b.options.Component(url)
	if err != nil {
		b.errorf(ref.url, "unread", "save it beside this file, and name it here", "the component cannot be read: %v", err)
		return nil
	}
	if got := digest(src); ref.digest != "" && ref.digest != got {
		b.warnf(ref.url, "digest", "", "the component has changed: its digest is %.12s…, not %.12s…", got, ref.digest)
	}
	docs, diags := source.Read(name, src)
	b.diags.Add(diags...)
	if len(docs) == 0 || docs[0] == nil {
		if diags == nil {
			b.diags.Errorf(diag.Pos{File: name, Line: 1, Col: 1}, "empty", "the file is empty")
		}
		return nil
	}
	return b.v1(docs[0])
}

// digest is how version 1 knows the text of a component again.
func digest(src []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))))
}
