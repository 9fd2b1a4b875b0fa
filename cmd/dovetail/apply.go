package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/topology"
)

func newApplyCmd(a *app) *cobra.Command {
	var files []string
	var wait, dryRun bool
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Create or replace the objects of a manifest, all or none",
		Long:  "Creates or replaces all objects of the files (YAML or JSON) in one transaction. Objects that are not in them stay as they are.",
		Example: "  dovetail apply -f examples/two-tenants.yaml\n" +
			"  dovetail apply -f examples/          # every .yaml, .yml and .json of the folder\n" +
			"  dovetail get network acme/blue -o yaml | sed s/1450/1400/ | dovetail apply -f -",
		Args: arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(files) == 0 {
				return fmt.Errorf("-f FILE is missing; for example: %s", example(cmd))
			}
			if wait && dryRun {
				return errors.New("--wait and --dry-run exclude each other: nothing is stored that could be waited for")
			}
			m, err := readManifests(a.in, files)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			return m.explain(a.apply(cmd.Context(), c, m.data, dryRun, wait, timeout))
		},
	}
	f := c.Flags()
	f.StringSliceVarP(&files, "filename", "f", nil, "file, folder, or - for standard input; may be repeated")
	f.BoolVar(&wait, "wait", false, "wait until every switch concerned has acknowledged")
	f.DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait")
	f.BoolVar(&dryRun, "dry-run", false, "only say what would happen")
	return c
}

func (a *app) apply(ctx context.Context, c *client.Client, manifest []byte, dryRun, wait bool, timeout time.Duration) error {
	results, err := c.Apply(ctx, manifest, client.ApplyOptions{DryRun: dryRun})
	if err != nil {
		return err
	}
	note := ""
	if dryRun {
		note = " (dry run)"
	}
	keys := make([]topology.Key, len(results))
	for i, r := range results {
		keys[i] = r.Key
		fmt.Fprintf(a.out, "%s %s%s\n", r.Key, r.Result, note)
	}
	if !wait {
		return nil
	}
	return a.waitAll(ctx, c, keys, timeout)
}

// waitAll waits until all objects are realized, and shows the progress on a
// terminal.
func (a *app) waitAll(ctx context.Context, c *client.Client, keys []topology.Key, timeout time.Duration) error {
	p := newProgress(a.err)
	defer p.end()
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout+10*time.Second) // the server answers sooner
	defer cancel()
	for i, key := range keys {
		reason := ""
		for {
			p.show("%d of %d realized, %s: waiting for %s%s", i, len(keys), age(time.Since(start)), key, reason)
			slice := min(p.interval(), max(timeout-time.Since(start), time.Millisecond))
			err := c.Wait(ctx, key, slice)
			if err == nil {
				break
			}
			problem, ok := client.AsProblem(err)
			if !ok || !client.IsNotRealized(err) {
				return err
			}
			if time.Since(start) >= timeout {
				_, why, _ := strings.Cut(problem.Error(), ": ") // before it is how long this part was
				return fmt.Errorf("not realized within %s: %s", timeout, why)
			}
			if len(problem.Unrealized) > 0 && problem.Unrealized[0].Status.Reason != "" {
				reason = ": " + problem.Unrealized[0].Status.Reason
			}
		}
	}
	p.end()
	what := fmt.Sprintf("all %d are", len(keys))
	if len(keys) == 1 {
		what = keys[0].String() + " is"
	}
	fmt.Fprintf(a.out, "%s realized (waited %s)\n", what, time.Since(start).Round(time.Millisecond))
	return nil
}

// progress is one line that is written over again and again, on a terminal only.
type progress struct {
	w    io.Writer
	live bool
}

func newProgress(w io.Writer) *progress { return &progress{w: w, live: isTerminal(w)} }

// interval is how often the line shall change.
func (p *progress) interval() time.Duration {
	if p.live {
		return time.Second
	}
	return time.Hour
}

func (p *progress) show(format string, args ...any) {
	if p.live {
		fmt.Fprintf(p.w, "\r\x1b[K%.*s", 120, printable(fmt.Sprintf(format, args...)))
	}
}

// end removes the line.
func (p *progress) end() {
	if p.live {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
