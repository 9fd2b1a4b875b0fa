package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

func (l *labApp) down() *cobra.Command {
	var all, left bool
	c := &cobra.Command{
		Use:     "down",
		Short:   "Remove a lab, or what is left of one",
		Example: "  dovetail lab down\n  dovetail lab down --all",
		Args:    arguments(0),
		RunE: func(*cobra.Command, []string) error {
			if os.Geteuid() != 0 {
				return errors.New("a lab is made of network namespaces: run this as root")
			}
			if left && all {
				return errors.New("--all and --left exclude each other")
			}
			if left {
				swept, err := lab.Sweep()
				for _, name := range swept {
					fmt.Fprintf(l.out, "Lab %s is removed.\n", name)
				}
				return err
			}
			there, err := lab.Names()
			if err != nil {
				return err
			}
			names := []string{l.name}
			if all {
				names = there
			}
			for _, name := range names {
				if err := l.remove(name, slices.Contains(there, name)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&all, "all", false, "remove all labs")
	c.Flags().BoolVar(&left, "left", false, "remove labs whose owner was killed, as tests, benchmarks and the demo, and no others")
	return c
}

// remove removes a lab and says what it was. Where no lab is known there may still
// be namespaces of one.
func (l *labApp) remove(name string, known bool) error {
	what := "what was left of it"
	if lb, err := lab.Open(name); err == nil {
		what = fmt.Sprintf("%s, %s", plural(len(lb.Hosts()), "host"), plural(len(lb.Workloads()), "workload"))
	}
	p := newProgress(l.err)
	p.show("removing lab %s", name)
	err := lab.Down(name)
	p.end()
	if err != nil {
		return fmt.Errorf("removing lab %s: %w", name, err)
	}
	if !known {
		fmt.Fprintf(l.err, "there is no lab %s\n", name)
		return nil
	}
	_, err = fmt.Fprintf(l.out, "Lab %s is removed: %s.\n", name, what)
	return err
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
