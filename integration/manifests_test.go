package integration

import (
	"fmt"
	"strings"
)

// manifest builds a YAML manifest line by line, so that a test reads like what a
// user would write.
type manifest struct{ strings.Builder }

func (m *manifest) tenant(name string) *manifest {
	fmt.Fprintf(m, "---\nkind: Tenant\nmetadata: {name: %s}\nspec: {}\n", name)
	return m
}

// network adds a network; subnets are CIDRs.
func (m *manifest) network(tenant, name string, subnets ...string) *manifest {
	fmt.Fprintf(m, "---\nkind: Network\nmetadata: {tenant: %s, name: %s}\nspec:\n  subnets:\n", tenant, name)
	for _, s := range subnets {
		fmt.Fprintf(m, "  - cidr: %q\n", s)
	}
	return m
}

// endpoint adds an endpoint; no addresses means that they are allocated.
func (m *manifest) endpoint(tenant, name, network string, addresses ...string) *manifest {
	fmt.Fprintf(m, "---\nkind: Endpoint\nmetadata: {tenant: %s, name: %s}\nspec:\n  network: %s\n", tenant, name, network)
	if len(addresses) > 0 {
		fmt.Fprintf(m, "  addresses: [%s]\n", quoted(addresses))
	}
	return m
}

func (m *manifest) router(tenant, name string, networks ...string) *manifest {
	fmt.Fprintf(m, "---\nkind: Router\nmetadata: {tenant: %s, name: %s}\nspec:\n  networks: [%s]\n", tenant, name, strings.Join(networks, ", "))
	return m
}

func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(q, ", ")
}
