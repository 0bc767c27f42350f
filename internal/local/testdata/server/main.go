// Command server serves a model of ../trainer on Cloud Run: a request to
// /predict fails as often as the model says.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/kakehi/kakehi/internal/executor"
)

func main() {
	failures, err := load(os.Getenv("AIP_STORAGE_URI"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
	var requests atomic.Int64
	http.HandleFunc("/predict", func(w http.ResponseWriter, _ *http.Request) {
		n := float64(requests.Add(1))
		if math.Floor(n*failures) > math.Floor((n-1)*failures) { // evenly spread
			http.Error(w, "the model is flaky", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, `{"predictions": [1]}`)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

// load returns the share of requests that a model's server fails.
func load(uri string) (float64, error) {
	files := executor.Files{Root: os.Getenv("KAKEHI_GCS_ROOT")}
	f, err := files.Open(&executor.Artifact{Name: "model", URI: uri + "/model.json"})
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var model struct {
		Failures float64 `json:"failures"`
	}
	return model.Failures, json.NewDecoder(f).Decode(&model)
}
