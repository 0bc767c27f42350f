package interp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/kakehi/kakehi/internal/value"
)

// perform sends a request and returns what came of it. It runs on a goroutine
// of its own.
func (x *Execution) perform(req *Request) record {
	ctx, cancel := context.WithTimeout(x.ctx, req.Timeout)
	defer cancel()
	r, err := x.exchange(ctx, req)
	if err == nil {
		return record{Kind: kindDone, Response: r}
	}
	out := record{Kind: kindDone, Message: err.Error()}
	var known *value.Error
	switch {
	case errors.As(err, &known):
		out.Message, out.Tags = known.Message(), known.Tags()
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		known = timedOut()
		out.Message, out.Tags = known.Message(), known.Tags()
	case neverConnected(err):
		out.Tags = []value.Tag{value.ConnectionFailedError}
	default:
		out.Tags = []value.Tag{value.ConnectionError}
	}
	return out
}

func neverConnected(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" || errors.Is(err, errNoNetwork)
}

var errNoNetwork = errors.New("this execution has no network")

func (x *Execution) exchange(ctx context.Context, req *Request) (*Response, error) {
	if x.cfg.HTTP == nil {
		return nil, errNoNetwork
	}
	out, err := http.NewRequestWithContext(ctx, req.Method, req.URL, bytes.NewReader(req.Body))
	if err != nil {
		return nil, value.Errorf(value.ValueError, "%v", err)
	}
	out.Header = req.Header.Clone()
	if out.Header == nil {
		out.Header = http.Header{}
	}
	if host := out.Header.Get("Host"); host != "" {
		out.Host = host
	}
	if req.Auth != nil {
		token, err := x.mint(ctx, req.Auth)
		if err != nil {
			return nil, value.Errorf(value.AuthError, "cannot create credentials for the request: %v", err)
		}
		out.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: x.cfg.HTTP}
	resp, err := client.Do(out)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	limit := int64(x.limits.HTTPResponseBytes)
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, value.Errorf(value.ResourceLimitError, "the response is larger than %d bytes", limit)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

func (x *Execution) mint(ctx context.Context, a *Auth) (string, error) {
	switch {
	case x.cfg.Tokens == nil:
		return "", fmt.Errorf("this execution has no identity")
	case a.Audience != "":
		return x.cfg.Tokens.IDToken(ctx, a.Audience)
	}
	return x.cfg.Tokens.AccessToken(ctx, a.Scopes)
}
