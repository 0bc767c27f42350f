//go:build unix

// Command trainer is a training job that goes right or wrong as it is told. It
// is a KFP container.
//
//	inputs   mode, seconds that it lasts, failures (of the served model)
//	outputs  model (Model: a folder with model.json), metrics (Metrics),
//	         accuracy (double), golden (Dataset)
//
// As soon as it runs, its process id is in the file pid of the model's folder.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kakehi/kakehi/internal/executor"
)

func main() {
	files := executor.Files{Root: os.Getenv("KAKEHI_GCS_ROOT")}
	if err := run(os.Args[1:], files); err != nil {
		fmt.Fprintln(os.Stderr, "trainer:", err)
		os.Exit(1)
	}
}

type params struct {
	Mode     string  `json:"mode"`
	Seconds  float64 `json:"seconds"`
	Failures float64 `json:"failures"`
}

func run(args []string, files executor.Files) error {
	in, err := executor.FromArgs(args)
	if err != nil {
		return err
	}
	var p params
	if err := in.Params(&p); err != nil {
		return err
	}
	model, err := in.OutputArtifact("model")
	if err != nil {
		return err
	}
	if err := put(files, model, "pid", fmt.Sprint(os.Getpid())); err != nil {
		return err
	}
	time.Sleep(time.Duration(p.Seconds * float64(time.Second)))
	switch p.Mode {
	case "good":
		return finish(files, in, model, p)
	case "exit":
		fmt.Println("epoch 3: loss is NaN")
		return fmt.Errorf("the training diverged")
	case "endless":
		fmt.Println("epoch 1")
		time.Sleep(time.Hour)
	case "full":
		return fill(files, model)
	case "flood":
		return flood()
	}
	return garbage(files, in, p.Mode)
}

// finish leaves what the pipeline asks for.
func finish(files executor.Files, in *executor.Input, model *executor.Artifact, p params) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := put(files, model, "model.json", string(body)); err != nil {
		return err
	}
	golden, err := in.OutputArtifact("golden")
	if err != nil {
		return err
	}
	err = files.Create(golden, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, `{"instance": [1], "prediction": 1}`)
		return err
	})
	if err != nil {
		return err
	}
	var out executor.Output
	out.Set("accuracy", 0.75)
	out.Add("model", model)
	return files.Finish(in, &out)
}

// put writes a file into the folder of an artifact.
func put(files executor.Files, folder *executor.Artifact, name, text string) error {
	content := *folder
	content.URI += "/" + name
	return files.Create(&content, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// fill writes a model for which there is no room: no file of this process may
// grow beyond 4 KiB.
func fill(files executor.Files, model *executor.Artifact) error {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4 << 10, Max: 4 << 10}); err != nil {
		return err
	}
	return put(files, model, "model.json", strings.Repeat("x", 1<<20))
}

// flood writes more to the log than is kept of one replica, 16 MiB.
func flood() error {
	line := strings.Repeat("x", 4095) + "\n"
	for range 20 << 20 / len(line) {
		if _, err := os.Stdout.WriteString(line); err != nil {
			return err
		}
	}
	fmt.Println("the last line")
	os.Exit(3)
	return nil
}

// garbage leaves an executor_output.json that is none.
func garbage(files executor.Files, in *executor.Input, mode string) error {
	text, ok := map[string]string{
		"text":       "accuracy: 0.75",
		"nan":        `{"parameterValues": {"accuracy": NaN}}`,
		"list":       `[0.75]`,
		"type":       `{"parameterValues": {"accuracy": "three quarters"}}`,
		"missing":    `{"parameterValues": {}}`,
		"metrics":    `{"parameterValues": {"accuracy": 0.75}, "artifacts": {"metrics": "accuracy 75 %"}}`,
		"artifacts":  `{"parameterValues": {"accuracy": 0.75}, "artifacts": ["metrics"]}`,
		"parameters": `{"parameterValues": ["accuracy"]}`,
		"deep":       `{"parameterValues": {"accuracy": 0.75}, "artifacts": {"metrics": {"artifacts": ["75 %"]}}}`,
		"empty":      "",
		"large":      `{"parameterValues": {"accuracy": 0.75, "log": "` + strings.Repeat("x", 1<<20) + `"}}`,
		"larger":     strings.Repeat("x", 3<<20),
	}[mode]
	if !ok {
		return fmt.Errorf("there is no mode %q", mode)
	}
	file, err := files.Path(in.Outputs.OutputFile)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
