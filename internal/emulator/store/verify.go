package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
)

// verify reads the whole file and finds what is not as it was written. bbolt
// checks only the page that it opens the file with; a changed bit elsewhere
// could hide keys, or send it into another page.
//
// Source: go.etcd.io/bbolt/internal/common, format version 2. Each page below
// the high-water mark is a meta page, free, or reached exactly once; keys
// ascend; the contents of a page lie side by side; values have checksums.
func verify(file *os.File) error {
	v := &verifier{file: file}
	if err := v.readMetas(); err != nil {
		return err
	}
	if err := v.freePages(); err != nil {
		return err
	}
	if err := v.tree(v.meta.root, nil, nil, nil, true); err != nil {
		return err
	}
	for id, state := range v.seen {
		if state == unseen {
			return fmt.Errorf("page %d is lost", id)
		}
	}
	return nil
}

// The constants of bbolt's format.
const (
	magic       = 0xED0CDAED
	boltVersion = 2

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	headerSize  = 16
	elementSize = 16
	bucketFlag  = 1
	bucketSize  = 16 // root page and sequence, before an inline page
	manyFree    = 0xFFFF
)

type meta struct {
	pageSize uint32
	root     uint64
	freelist uint64
	pages    uint64 // the high-water mark
	txid     uint64
}

type pageState byte

const (
	unseen pageState = iota
	reached
	free
)

type verifier struct {
	file *os.File
	meta meta
	seen []pageState
}

// readMetas reads both meta pages, of which the newer counts. A damaged one is
// not a commit that a crash cut short: a meta page is one sector of the disk.
func (v *verifier) readMetas() error {
	first, err := v.readMeta(0)
	if err != nil {
		return fmt.Errorf("meta page 0: %w", err)
	}
	second, err := v.readMeta(int64(first.pageSize))
	if err != nil {
		return fmt.Errorf("meta page 1: %w", err)
	}
	v.meta = first
	if second.txid > first.txid {
		v.meta = second
	}
	info, err := v.file.Stat()
	if err != nil {
		return err
	}
	if want := int64(v.meta.pages) * int64(v.meta.pageSize); info.Size() < want {
		return fmt.Errorf("it is cut off: it has %d bytes of %d", info.Size(), want)
	}
	v.seen = make([]pageState, v.meta.pages)
	v.seen[0], v.seen[1] = reached, reached
	return nil
}

func (v *verifier) readMeta(at int64) (meta, error) {
	const size = 64 // up to the checksum, 56
	data := make([]byte, size)
	if _, err := v.file.ReadAt(data, at+headerSize); err != nil {
		return meta{}, err
	}
	sum := fnv.New64a()
	_, _ = sum.Write(data[:size-8]) // never fails
	word := binary.NativeEndian
	switch {
	case word.Uint32(data) != magic:
		return meta{}, errors.New("it does not begin as one")
	case word.Uint64(data[size-8:]) != sum.Sum64():
		return meta{}, errors.New("it has another checksum")
	case word.Uint32(data[4:]) != boltVersion:
		return meta{}, fmt.Errorf("it has version %d, not %d", word.Uint32(data[4:]), boltVersion)
	}
	return meta{
		pageSize: word.Uint32(data[8:]), root: word.Uint64(data[16:]),
		freelist: word.Uint64(data[32:]), pages: word.Uint64(data[40:]), txid: word.Uint64(data[48:]),
	}, nil
}

// page reads a page with its overflow, and notes that it was reached.
func (v *verifier) page(id uint64) ([]byte, error) {
	if id >= v.meta.pages {
		return nil, fmt.Errorf("page %d is beyond the last", id)
	}
	size := int64(v.meta.pageSize)
	data := make([]byte, size)
	if _, err := v.file.ReadAt(data, int64(id)*size); err != nil {
		return nil, err
	}
	more := uint64(binary.NativeEndian.Uint32(data[12:]))
	if got := binary.NativeEndian.Uint64(data); got != id || id+more >= v.meta.pages {
		return nil, fmt.Errorf("page %d has another's header", id)
	}
	for i := id; i <= id+more; i++ {
		if v.seen[i] != unseen {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		v.seen[i] = reached
	}
	if more == 0 {
		return data, nil
	}
	data = append(data, make([]byte, int64(more)*size)...)
	_, err := v.file.ReadAt(data[size:], int64(id+1)*size)
	return data, err
}

func (v *verifier) freePages() error {
	data, err := v.page(v.meta.freelist)
	if err != nil {
		return err
	}
	word := binary.NativeEndian
	count, ids := uint64(word.Uint16(data[10:])), data[headerSize:]
	if word.Uint16(data[8:]) != freelistPage {
		return errors.New("the list of free pages is something else")
	}
	if count == manyFree {
		count, ids = word.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return errors.New("the list of free pages is cut off")
	}
	for i := range count {
		id := word.Uint64(ids[8*i:])
		if id >= v.meta.pages || v.seen[id] != unseen {
			return fmt.Errorf("page %d is free and used", id)
		}
		v.seen[id] = free
	}
	return nil
}

// tree checks the pages of a table from id down, whose keys are from low on and
// below high. The root is the table of tables.
func (v *verifier) tree(id uint64, table, low, high []byte, root bool) error {
	data, err := v.page(id)
	if err != nil {
		return err
	}
	where := fmt.Sprintf("page %d", id)
	switch flags := binary.NativeEndian.Uint16(data[8:]); flags {
	case leafPage:
		return v.leaf(where, data, table, low, high, root)
	case branchPage:
		items, err := elements(where, data, false)
		for i, item := range items {
			next := high
			if i+1 < len(items) {
				next = items[i+1].key
			}
			if err == nil {
				err = within(where, item.key, low, next, i > 0)
			}
			if err == nil {
				err = v.tree(item.page, table, item.key, next, root)
			}
			low = item.key
		}
		return err
	default:
		return fmt.Errorf("%s is of kind %#x", where, flags)
	}
}

func (v *verifier) leaf(where string, data, table, low, high []byte, root bool) error {
	items, err := elements(where, data, true)
	if err != nil {
		return err
	}
	for i, item := range items {
		if err := within(where, item.key, low, high, i > 0); err != nil {
			return err
		}
		low = item.key
		switch {
		case item.bucket != root:
			return fmt.Errorf("%s: %q is of another kind", where, item.key)
		case root:
			err = v.table(where, item)
		default:
			_, err = unseal(table, item.key, item.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// table checks a table, which may lie within the value that names it.
func (v *verifier) table(where string, item element) error {
	if len(item.value) < bucketSize {
		return fmt.Errorf("%s: table %q is cut off", where, item.key)
	}
	root, inline := binary.NativeEndian.Uint64(item.value), item.value[bucketSize:]
	if root != 0 {
		if err := v.tree(root, item.key, nil, nil, false); err != nil {
			return fmt.Errorf("table %q: %w", item.key, err)
		}
		return nil
	}
	where = fmt.Sprintf("%s: table %q", where, item.key)
	if len(inline) < headerSize || binary.NativeEndian.Uint16(inline[8:]) != leafPage {
		return fmt.Errorf("%s is cut off", where)
	}
	return v.leaf(where, inline, item.key, nil, nil, false)
}

// element is a key of a page with its value, or with the page below it.
type element struct {
	key, value []byte
	page       uint64
	bucket     bool
}

// elements takes a leaf or branch page apart.
func elements(where string, data []byte, leaf bool) ([]element, error) {
	word := binary.NativeEndian
	count := int(word.Uint16(data[10:]))
	at := headerSize + count*elementSize // of the next contents
	if count == 0 || at > len(data) {
		return nil, fmt.Errorf("%s has %d elements", where, count)
	}
	items := make([]element, count)
	for i := range items {
		from := headerSize + i*elementSize
		head := data[from:]
		flags, pos, keySize, valueSize := word.Uint32(head), word.Uint32(head[4:]), uint64(word.Uint32(head[8:])), uint64(word.Uint32(head[12:]))
		if !leaf {
			flags, pos, keySize, valueSize = 0, word.Uint32(head), uint64(word.Uint32(head[4:])), 0
			items[i].page = word.Uint64(head[8:])
		}
		if from+int(pos) != at || keySize == 0 || flags&^bucketFlag != 0 || keySize+valueSize > uint64(len(data)-at) {
			return nil, fmt.Errorf("%s: element %d is out of place", where, i)
		}
		end := at + int(keySize)
		items[i].bucket = flags == bucketFlag
		items[i].key, items[i].value = data[at:end:end], data[end:end+int(valueSize)]
		at = end + int(valueSize)
	}
	return items, nil
}

// within checks that a key is not below low, or above it where it must ascend,
// and is below high.
func within(where string, key, low, high []byte, ascend bool) error {
	c := bytes.Compare(key, low)
	if c < 0 || c == 0 && ascend || high != nil && bytes.Compare(key, high) >= 0 {
		return fmt.Errorf("%s: key %q is out of order", where, key)
	}
	return nil
}
