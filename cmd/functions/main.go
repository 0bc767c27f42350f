// Command functions serves one function of this module: the one that
// FUNCTION_TARGET names, on PORT (8080). The same functions can be deployed
// from source, for they are registered with Google's Functions Framework.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	_ "github.com/kakehi/kakehi/functions/evaluate"
	_ "github.com/kakehi/kakehi/functions/probe"
	_ "github.com/kakehi/kakehi/functions/rollout"
	_ "github.com/kakehi/kakehi/functions/split"
	_ "github.com/kakehi/kakehi/functions/summary"
	_ "github.com/kakehi/kakehi/functions/validate"
	"github.com/kakehi/kakehi/internal/step"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "functions:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if os.Getenv("FUNCTION_TARGET") == "" {
		return errors.New("set FUNCTION_TARGET to a function, such as validate")
	}
	ended := make(chan error, 1)
	go func() {
		ended <- funcframework.StartHostPort(os.Getenv("HOST"), cmp.Or(os.Getenv("PORT"), "8080"))
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// Cloud Run sends no new requests after SIGTERM, and kills 10 s later.
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Second)
	defer cancel()
	if err := step.Drain(ctx); err != nil {
		return fmt.Errorf("a request was still running: %w", err)
	}
	return nil
}
