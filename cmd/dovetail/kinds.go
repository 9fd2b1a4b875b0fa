package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/topology"
)

// kindNames are the kinds in the order in which they are shown, with their names
// besides the plural.
var kindNames = []struct {
	kind  topology.Kind
	names []string
}{
	{topology.KindTenant, []string{"tenant"}},
	{topology.KindNetwork, []string{"network", "net"}},
	{topology.KindRouter, []string{"router"}},
	{topology.KindEndpoint, []string{"endpoint", "ep"}},
	{topology.KindHost, []string{"host"}},
	{topology.KindExternalNetwork, []string{"external-network", "externalnetwork", "extnet"}},
	{topology.KindGateway, []string{"gateway", "gw"}},
	{topology.KindFloatingIP, []string{"floating-ip", "floatingip", "fip"}},
	{topology.KindService, []string{"service", "svc"}},
	{topology.KindServiceFunction, []string{"service-function", "servicefunction", "sf"}},
	{topology.KindChain, []string{"chain", "ch"}},
}

func parseKind(s string) (topology.Kind, error) {
	for _, k := range kindNames {
		for _, n := range append(k.names, k.kind.Plural()) {
			if strings.EqualFold(n, s) {
				return k.kind, nil
			}
		}
	}
	return "", fmt.Errorf("%q is no kind of object; there are %s", s, strings.Join(kindTitles(), ", "))
}

// kindTitles are the names of the kinds that are shown.
func kindTitles() []string {
	names := make([]string, len(kindNames))
	for i, k := range kindNames {
		names[i] = k.kind.Plural()
	}
	return names
}

// tenantFlag adds -t to a command.
func tenantFlag(c *cobra.Command) *string {
	return c.Flags().StringP("tenant", "t", os.Getenv("DOVETAIL_TENANT"), "tenant of the object ($DOVETAIL_TENANT)")
}

// parseTarget reads KIND and NAME; NAME may be TENANT/NAME. An empty name is fine
// if the whole kind is meant.
func parseTarget(kindArg, name, tenant string) (topology.Key, error) {
	kind, err := parseKind(kindArg)
	if err != nil {
		return topology.Key{}, err
	}
	if !kind.Scoped() {
		return topology.Key{Kind: kind, Name: name}, nil
	}
	if t, n, ok := strings.Cut(name, "/"); ok {
		tenant, name = t, n
	}
	if name != "" && tenant == "" {
		return topology.Key{}, fmt.Errorf("%s %s: say whose it is: TENANT/%s, or -t TENANT", strings.ToLower(string(kind)), name, name)
	}
	return topology.Key{Kind: kind, Tenant: tenant, Name: name}, nil
}

// completeTarget completes KIND and then names.
func (a *app) completeTarget(tenant *string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		const noFiles = cobra.ShellCompDirectiveNoFileComp
		if len(args) == 0 {
			return kindTitles(), noFiles
		}
		kind, err := parseKind(args[0])
		if err != nil {
			return nil, noFiles
		}
		key := topology.Key{Kind: kind}
		if kind.Scoped() {
			key.Tenant = *tenant
		}
		return a.names(cmd, key, prefix), noFiles
	}
}

// completeTenant completes the value of -t.
func (a *app) completeTenant(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return a.names(cmd, topology.Key{Kind: topology.KindTenant}, prefix), cobra.ShellCompDirectiveNoFileComp
}

// names are those of the objects of a kind; TENANT/NAME if the tenant is open.
func (a *app) names(cmd *cobra.Command, key topology.Key, prefix string) []string {
	c, err := a.client()
	if err != nil {
		return nil
	}
	objs, err := a.list(cmd.Context(), c, key, client.ListOptions{})
	if err != nil {
		return nil
	}
	var names []string
	for _, o := range objs {
		name := o.Metadata.Name
		if key.Tenant == "" {
			name = o.qualified()
		}
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}
