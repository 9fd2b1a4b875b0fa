package integration

import (
	"fmt"
	"testing"
)

// Acceptance 1: tenants with the same subnet and the same addresses do not see
// each other, everybody in a network reaches everybody, and two networks of a
// tenant reach each other only while a router joins them.
func TestTenantsWithTheSameAddresses(t *testing.T) {
	t.Parallel()
	w := start(t, 3)
	var m manifest
	for _, tenant := range []string{"acme", "globex"} {
		m.tenant(tenant).network(tenant, "blue", "10.0.0.0/24", "fd00:1::/64").network(tenant, "green", "10.0.1.0/24", "fd00:2::/64")
		for i := 1; i <= 3; i++ {
			m.endpoint(tenant, fmt.Sprintf("b%d", i), "blue", fmt.Sprintf("10.0.0.%d", 10+i), fmt.Sprintf("fd00:1::%d", 10+i))
		}
		m.endpoint(tenant, "g1", "green", "10.0.1.11", "fd00:2::11")
	}
	// One more of each tenant with an address that the other tenant does not have.
	m.endpoint("acme", "only", "blue", "10.0.0.77", "fd00:1::77")
	w.api.apply(t, m.String())

	nodes := map[string]*node{}
	for _, tenant := range []string{"acme", "globex"} {
		for i := 1; i <= 3; i++ {
			id := fmt.Sprintf("%s/b%d", tenant, i)
			nodes[id] = w.attach(id, fmt.Sprintf("h%d", i))
		}
		nodes[tenant+"/g1"] = w.attach(tenant+"/g1", "h2")
	}
	nodes["acme/only"] = w.attach("acme/only", "h1") // beside globex/b1, on one host
	w.realized("acme/b1", "acme/b2", "acme/b3", "acme/g1", "acme/only", "globex/b1", "globex/b2", "globex/b3", "globex/g1")

	t.Run("every pair in a network", func(t *testing.T) {
		for _, tenant := range []string{"acme", "globex"} {
			for i := 1; i <= 3; i++ {
				for j := 1; j <= 3; j++ {
					from, to := nodes[fmt.Sprintf("%s/b%d", tenant, i)], nodes[fmt.Sprintf("%s/b%d", tenant, j)]
					if i == j {
						continue
					}
					for _, addr := range to.addresses {
						from.mustPing(t, addr)
					}
				}
			}
		}
		for _, addr := range nodes["acme/b3"].addresses {
			nodes["acme/b1"].mustTCP(t, nodes["acme/b3"], addr)
		}
	})
	t.Run("the right one of two with one address", func(t *testing.T) {
		// Both tenants have 10.0.0.12. What acme/b1 sends arrives at acme/b2 only.
		before := w.delivered(nodes["globex/b2"])
		for range 5 {
			nodes["acme/b1"].mustPing(t, "10.0.0.12")
		}
		if got := w.delivered(nodes["globex/b2"]); got != before {
			t.Errorf("globex/b2 received %d packets that acme/b1 sent to its namesake", got-before)
		}
	})
	t.Run("no pair across tenants", func(t *testing.T) {
		for _, addr := range nodes["acme/only"].addresses {
			nodes["globex/b1"].mustNotPing(t, addr) // on one host
			nodes["globex/b3"].mustNotPing(t, addr) // on another
		}
	})
	t.Run("networks only with a router", func(t *testing.T) {
		a, g := nodes["acme/b1"], nodes["acme/g1"]
		for _, addr := range g.addresses {
			a.mustNotPing(t, addr)
		}
		w.api.apply(t, new(manifest).router("acme", "core", "blue", "green").String())
		w.api.realized(t, "/v1/tenants/acme/routers/core")
		// Its kernel may be about to give up asking for the gateway that was not there.
		if out, err := a.Command("ip", "neigh", "flush", "dev", "eth0", "nud", "all").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, addr := range g.addresses {
			a.mustPing(t, addr)
			a.mustTCP(t, g, addr)
		}
		for _, addr := range a.addresses {
			g.mustPing(t, addr)
		}
		nodes["globex/b1"].mustNotPing(t, "10.0.1.11") // globex has no router
		a.mustPing(t, "10.0.0.1")                      // the router itself
		a.mustPing(t, "fd00:2::1")

		w.api.delete(t, "/v1/tenants/acme/routers/core")
		for _, addr := range g.addresses {
			a.mustNotPing(t, addr)
		}
	})
}

// Routers answer as routers do when a packet cannot go on.
func TestRoutersAnswerWithErrors(t *testing.T) {
	t.Parallel()
	w := start(t, 2)
	m := new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24", "fd00:1::/64").network("acme", "green", "10.0.1.0/24", "fd00:2::/64").
		endpoint("acme", "a", "blue", "10.0.0.11", "fd00:1::11").endpoint("acme", "b", "green", "10.0.1.11", "fd00:2::11").
		router("acme", "core", "blue", "green")
	w.api.apply(t, m.String())
	a := w.attach("acme/a", "h1")
	w.attach("acme/b", "h2")
	w.realized("acme/a", "acme/b")
	for _, tt := range []struct {
		what, want string
		args       []string
	}{
		{"TTL runs out", "Time to live exceeded", []string{"-t", "1", "10.0.1.11"}},
		{"no route", "Net Unreachable", []string{"198.51.100.1"}},
		{"no such neighbour", "Host Unreachable", []string{"10.0.1.99"}},
		{"hop limit runs out", "Hop limit", []string{"-t", "1", "fd00:2::11"}},
		{"no IPv6 route", "No route", []string{"2001:db8::1"}},
		{"no such IPv6 neighbour", "Address unreachable", []string{"fd00:2::99"}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			out := a.output(append([]string{"ping", "-c", "2", "-i", "0.2", "-W", "1"}, tt.args...)...)
			if !contains(out, tt.want) {
				t.Errorf("ping %v says\n%s\nwithout %q", tt.args, out, tt.want)
			}
		})
	}
}
