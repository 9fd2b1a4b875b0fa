package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/topology"
)

func newEventsCmd(a *app) *cobra.Command {
	var o client.EventOptions
	var output, kind string
	var all bool
	c := &cobra.Command{
		Use:   "events",
		Short: "Show what happens, until ^C",
		Example: "  dovetail events\n" +
			"  dovetail events -t acme --kind endpoint\n" +
			"  dovetail events --all -o json",
		Args: arguments(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output: %q is none of text, json", output)
			}
			if kind != "" {
				var err error
				if o.Kind, err = parseKind(kind); err != nil {
					return fmt.Errorf("--kind: %w", err)
				}
			}
			if all || cmd.Flags().Changed("after") {
				o.After = max(o.After, 1) // below any event's: all that are kept
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			o.Lost = func(n uint64) {
				if n == 0 {
					fmt.Fprintln(a.err, "the controller was restarted: what happened just before may be missing")
				} else {
					fmt.Fprintf(a.err, "%d events were missed\n", n)
				}
			}
			err = c.Events(cmd.Context(), o, func(ev topology.Event) error { return a.printEvent(ev, output) })
			return quiet(cmd.Context(), err)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Tenant, "tenant", "t", "", "only those of a tenant and its objects")
	f.StringVar(&kind, "kind", "", "only those of objects of a kind")
	f.StringVar(&o.Name, "name", "", "only those of objects of a name")
	f.Uint64Var(&o.After, "after", 0, "begin with the events that are kept after this sequence number")
	f.BoolVar(&all, "all", false, "begin with all events that are kept")
	f.StringVarP(&output, "output", "o", "text", "text, or json: one event a line")
	_ = c.RegisterFlagCompletionFunc("tenant", a.completeTenant)
	return c
}

func (a *app) printEvent(ev topology.Event, output string) error {
	if output == "json" {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(ev)
	}
	_, err := fmt.Fprintln(a.out, eventLine(ev, time.Now()))
	return err
}

// eventLine says nothing twice: messages may name the host themselves, or only
// repeat the type.
func eventLine(ev topology.Event, now time.Time) string {
	at, form := ev.Time.Local(), time.TimeOnly
	if now.Local().Format(time.DateOnly) != at.Format(time.DateOnly) {
		form = time.DateTime
	}
	what := ev.Object.String()
	if ev.Host != "" && ev.Host != ev.Object.Name && !slices.Contains(strings.Fields(ev.Message), ev.Host) {
		what += " on " + ev.Host
	}
	if ev.Message != "" && ev.Message != string(ev.Type) {
		what += ": " + ev.Message
	}
	return fmt.Sprintf("%s  %-13s  %s", at.Format(form), ev.Type, printable(what))
}
