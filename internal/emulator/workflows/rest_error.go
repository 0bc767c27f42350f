package workflows

import (
	"errors"
	"net/http"

	"github.com/kakehi/kakehi/internal/emulator/rest"
)

// httpError is an error whose HTTP status no gRPC code stands for.
type httpError struct {
	status  int
	message string
}

func (e httpError) Error() string { return e.message }

func writeError(w http.ResponseWriter, err error) {
	var plain httpError
	if !errors.As(err, &plain) {
		rest.WriteError(w, err)
		return
	}
	rest.WriteJSON(w, plain.status, map[string]any{"error": map[string]any{"code": plain.status, "message": plain.message}})
}
