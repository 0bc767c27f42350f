// Command modelserver serves a trained model: on Cloud Run, on a Vertex AI
// endpoint, or on one's own machine.
//
//	AIP_STORAGE_URI=./model.json AIP_HTTP_PORT=8080 modelserver
//
// Environment: AIP_STORAGE_URI (gs://…, or a local file or folder),
// AIP_HTTP_PORT (then PORT, then 8080), HOST (default: all addresses),
// AIP_HEALTH_ROUTE (/health), AIP_PREDICT_ROUTE (/predict), KAKEHI_GCS_ROOT
// (where Cloud Storage is mounted; /gcs), MODEL_NAME (in /v2/models/NAME).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/oauth2/google"

	"github.com/kakehi/kakehi/internal/serving"
)

func main() {
	if err := run(time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "modelserver:", err)
		os.Exit(1)
	}
}

func run(started time.Time) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	uri := os.Getenv("AIP_STORAGE_URI")
	if uri == "" {
		return errors.New("set AIP_STORAGE_URI to the model: gs://BUCKET/FOLDER, or a local file or folder")
	}
	// The model is loaded before the port opens: the platform holds requests
	// until then, and a model that does not load is a deployment that fails.
	loader := serving.Loader{Mount: cmp.Or(os.Getenv("KAKEHI_GCS_ROOT"), "/gcs"), Client: storageClient}
	model, err := loader.Load(ctx, uri)
	if err != nil {
		return err
	}
	server, err := serving.NewServer(model, serving.Options{
		Name: cmp.Or(os.Getenv("MODEL_NAME"), os.Getenv("K_SERVICE")), Version: cmp.Or(os.Getenv("AIP_VERSION_NAME"), os.Getenv("K_REVISION")),
		HealthRoute: os.Getenv("AIP_HEALTH_ROUTE"), PredictRoute: os.Getenv("AIP_PREDICT_ROUTE"),
		Log: os.Stdout, Project: os.Getenv("GOOGLE_CLOUD_PROJECT"), Started: started,
	})
	if err != nil {
		return err
	}
	port := cmp.Or(os.Getenv("AIP_HTTP_PORT"), os.Getenv("PORT"), "8080")
	return serve(ctx, server, net.JoinHostPort(os.Getenv("HOST"), port))
}

// serve answers until ctx ends, then lets the requests in flight finish: Cloud
// Run kills the container 10 s after SIGTERM.
func serve(ctx context.Context, server *serving.Server, addr string) error {
	const drain = 9 * time.Second
	h := &http.Server{
		Handler: server, Addr: addr,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	server.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were still running after %s: %w", drain, err)
	}
	return nil
}

// storageClient carries a token of the service account (metadata server), or
// of a developer's application-default credentials.
func storageClient(ctx context.Context) (*http.Client, error) {
	return google.DefaultClient(ctx, "https://www.googleapis.com/auth/devstorage.read_only")
}
