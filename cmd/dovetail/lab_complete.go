package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/integration/lab"
	"github.com/dovetail-sdn/dovetail/topology"
)

// What the shell completes comes from the lab as it is. Without one, or without
// leave to look, it completes nothing.

func completeLab(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names, _ := lab.Names()
	return names, cobra.ShellCompDirectiveNoFileComp
}

func labHosts(lb *lab.Lab) []string { return hostNames(lb) }

func labWorkloads(lb *lab.Lab) []string { return workloadsOn(lb, "") }

func labOutside(lb *lab.Lab) []string {
	var names []string
	for name := range lb.Outsides() {
		names = append(names, outsidePrefix+name)
	}
	slices.Sort(names)
	return names
}

// completeFirst completes the first argument.
func (l *labApp) completeFirst(sources ...func(*lab.Lab) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		lb, err := lab.Open(l.name)
		if len(args) > 0 || err != nil {
			return nil, cobra.ShellCompDirectiveDefault // the rest is another program's
		}
		var names []string
		for _, source := range sources {
			for _, n := range source(lb) {
				if strings.HasPrefix(n, prefix) {
					names = append(names, n)
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeEndpoint completes endpoints that the controller knows.
func (l *labApp) completeEndpoint(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return l.names(cmd, topology.Key{Kind: topology.KindEndpoint}, prefix), cobra.ShellCompDirectiveNoFileComp
}
