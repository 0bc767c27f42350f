// Command kakehi compiles ML pipelines to Cloud Workflows and runs them, here
// or on Google Cloud.
package main

import (
	"context"
	"os"

	"github.com/kakehi/kakehi/internal/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
