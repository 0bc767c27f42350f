package cli

import (
	"encoding/json"

	"github.com/kakehi/kakehi/internal/interp"
)

// exitOf turns the end of an execution into that of the command.
func exitOf(o interp.Outcome) error {
	switch o.State {
	case interp.Succeeded:
		return nil
	case interp.Active:
		return o.Cause
	}
	return exitWith(exitRunFailed, nil)
}

// printJSON writes v to standard output as indented JSON.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.Out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
