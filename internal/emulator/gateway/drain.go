package gateway

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
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
		if c := http.NewResponseController(w); !body.complete() && c.Flush() == nil {
			body.discard(c)
		}
	}
}

// discard reads the rest of the body, as far as the client goes on sending: it
// may wait for the end of the answer.
func (b *sentBody) discard(c *http.ResponseController) {
	const patience = time.Second
	buffer := make([]byte, 64<<10)
	for left := maxBody; left > 0 && c.SetReadDeadline(time.Now().Add(patience)) == nil; {
		n, err := b.ReadCloser.Read(buffer)
		if left -= n; err != nil {
			return
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
