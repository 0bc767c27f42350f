package gateway

import (
	"io"
	"net/http"
	"sync/atomic"
)

// drained serves requests with h and then reads what h left of their bodies. A
// client that is still sending when its connection is closed may never see the
// answer: Google's front ends take the whole request, whatever they answer.
func drained(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 || r.Body == nil || r.Body == http.NoBody {
			h(w, r) // the streams of HTTP/2 end one by one
			return
		}
		body := &sentBody{ReadCloser: r.Body, expected: r.ContentLength, asks: r.Header.Get("Expect") != ""}
		noted := r.WithContext(r.Context()) // the server knows its own request by its body
		noted.Body = body
		h(w, noted)
		if !body.complete() && http.NewResponseController(w).Flush() == nil {
			_, _ = io.CopyN(io.Discard, body.ReadCloser, maxBody) // the client may hang up
		}
	}
}

// sentBody notes how much of a body was read. A proxy may go on reading when its
// answer is complete.
type sentBody struct {
	io.ReadCloser
	expected int64 // -1 if unknown
	asks     bool  // the client sends it only when it is asked to, by a first read
	read     atomic.Int64
	ended    atomic.Bool
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	if err != nil {
		b.ended.Store(true)
	}
	return n, err
}

// complete says whether there is no more to read.
func (b *sentBody) complete() bool {
	read := b.read.Load()
	return b.ended.Load() || read == b.expected || b.asks && read == 0
}
