package cli

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/kakehi/kakehi/internal/diag"
	"github.com/kakehi/kakehi/internal/kfp"
)

// parseKFP reads a file of Kubeflow Pipelines. The components that a graph
// refers to are read from files beside it, and nothing from the network.
func parseKFP(file string, src []byte) (*kfp.Spec, diag.List) {
	return kfp.Parse(file, src, kfp.Options{Component: func(url string) (string, []byte, error) {
		if strings.Contains(url, "://") {
			return "", nil, errors.New("it is on the network")
		}
		name := filepath.Join(filepath.Dir(file), filepath.FromSlash(url))
		text, err := readSource(name)
		return name, text, err
	}})
}
