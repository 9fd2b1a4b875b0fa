// Dovetail is the controller and its command line tool in one binary.
//
// It owns flags, tables and messages for people. What it shows comes from the REST
// API alone; only `dovetail controller` puts the other packages together.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set when a release is built: -ldflags "-X main.version=v1.2.3".
var version = "v0.1.0-dev"

func main() {
	// The first signal ends what is under way in order; a second one kills.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	err := newRootCmd(a).ExecuteContext(ctx)
	if err == nil {
		stop()
		return
	}
	var code exitCode
	if errors.As(err, &code) {
		os.Exit(int(code)) // the command that was run has said what is wrong
	}
	fmt.Fprintln(os.Stderr, "dovetail: "+a.oneLine(err))
	os.Exit(1)
}
