package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

func (l *labApp) list() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show labs, their hosts, workloads and machines outside, and whether all of their processes run",
		Example: "  dovetail lab list",
		Args:    arguments(0),
		RunE: func(*cobra.Command, []string) error {
			names, err := lab.Names()
			if err != nil {
				return err
			}
			if len(names) == 0 {
				fmt.Fprintln(l.err, "there is no lab; make one with: dovetail lab up")
				return nil
			}
			tw := tabwriter.NewWriter(l.out, 0, 0, 3, ' ', 0)
			fmt.Fprintln(tw, "LAB\tHOST\tVTEP\tSTATE\tWORKLOADS")
			for _, name := range names {
				lb, err := lab.Open(name)
				if err != nil || len(lb.Hosts()) == 0 {
					fmt.Fprintf(tw, "%s\t-\t-\tbroken: leftovers; remove them with: dovetail lab down --name %s\t-\n", name, name)
					continue
				}
				for _, h := range lb.Hosts() {
					host := lb.Host(h)
					fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", name, host.SystemID(), host.VTEP(), hostState(host.Missing()), cmp.Or(strings.Join(workloadsOn(lb, h), ", "), "-"))
				}
			}
			if err := tw.Flush(); err != nil {
				return err
			}
			return l.listOutside(names)
		},
	}
}

// listOutside shows the machines outside of labs that have some.
func (l *labApp) listOutside(labs []string) error {
	tw := tabwriter.NewWriter(l.out, 0, 0, 3, ' ', 0)
	some := false
	for _, name := range labs {
		lb, err := lab.Open(name)
		if err != nil {
			continue // it was shown as broken
		}
		machines := lb.Outsides()
		for _, machine := range slices.Sorted(maps.Keys(machines)) {
			if !some {
				fmt.Fprintln(tw, "\nLAB\tOUTSIDE\tVLAN\tMANAGEMENT\tADDRESSES")
				some = true
			}
			fmt.Fprintln(tw, outsideLine(lb, machines[machine]))
		}
	}
	return tw.Flush()
}

func outsideLine(lb *lab.Lab, e lab.OutsideEntry) string {
	vlan, management := "-", "-"
	if e.VLAN != 0 {
		vlan = strconv.Itoa(e.VLAN)
	}
	if o, err := lb.FindOutside(e.Name); err == nil && e.Underlay {
		management = o.ManagementAddress().String()
	}
	var addresses []string
	for _, a := range e.Addresses {
		addresses = append(addresses, a.String())
	}
	return strings.Join([]string{lb.Name, e.Name, vlan, management, cmp.Or(strings.Join(addresses, ", "), "-")}, "\t")
}

// hostState says what a host has not that it should have.
func hostState(missing []string) string {
	if len(missing) == 0 {
		return "running"
	}
	return "broken: no " + strings.Join(missing, ", no ")
}

// workloadsOn are the workloads on a host, or all where host is empty.
func workloadsOn(lb *lab.Lab, host string) []string {
	var ids []string
	for id, e := range lb.Workloads() {
		if host == "" || e.Host == host {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
