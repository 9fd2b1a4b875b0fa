package integration

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Acceptance 3 of gateways: networks that are routed without NAT are announced to a
// router outside, one next hop for each gateway host; what leads to a host that died
// is taken back; and traffic flows both ways all the time.
func TestRoutedNetworksAreAnnounced(t *testing.T) {
	t.Parallel()
	e := startEdge(t, 0)
	frr, err := e.router.StartFRR(lab.FRRConfig{ASN: 65010, RouterID: routerAddr, Neighbor: e.lab.Controller, NeighborASN: 65001, Passive: true})
	e.must(err)
	e.api.apply(t, fmt.Sprintf(`---
kind: ExternalNetwork
metadata: {name: internet}
spec:
  physicalNetwork: physnet1
  subnets:
  - {cidr: 203.0.113.0/24, nextHops: [203.0.113.1], pools: [203.0.113.100-203.0.113.199]}
  - {cidr: "2001:db8:f::/64", nextHops: ["2001:db8:f::1"], pools: ["2001:db8:f::100-2001:db8:f::1ff"]}
  bgp: {asn: 65001, peers: [{address: %s, asn: 65010}]}
---
kind: Gateway
metadata: {name: edge}
spec: {externalNetwork: internet, hosts: [{name: h1, weight: 1}, {name: h2, weight: 1}]}
`, e.router.ManagementAddress()))
	m := new(manifest)
	m.tenant("acme").network("acme", "blue", "10.20.0.0/24", "2001:db8:20::/64").network("acme", "hidden", "10.21.0.0/24").
		connected("acme", "core", "{name: edge, routedNetworks: [blue]}", "blue", "hidden").
		endpoint("acme", "a", "blue", "10.20.0.11", "2001:db8:20::11")
	e.api.apply(t, m.String())
	a := e.attach("acme/a", "h3")
	e.realized("acme/a")
	e.api.realized(t, "/v1/gateways/edge", "/v1/tenants/acme/routers/core")

	lanes := e.api.get(t, "/v1/gateways/edge").Status.Lanes
	if len(lanes) != 2 {
		t.Fatalf("lanes %v", lanes)
	}
	four, six := map[string]netip.Addr{}, map[string]netip.Addr{}
	for _, l := range lanes {
		for _, addr := range l.Addresses {
			if addr.Is4() {
				four[l.Host] = addr
			} else {
				six[l.Host] = addr
			}
		}
	}
	blue4, blue6 := netip.MustParsePrefix("10.20.0.0/24"), netip.MustParsePrefix("2001:db8:20::/64")
	announced := func(hosts ...string) {
		t.Helper()
		eventually(t, 30*time.Second, func() error {
			routes, err := frr.Routes(t.Context())
			if err != nil {
				return err
			}
			for p, hops := range map[netip.Prefix]map[string]netip.Addr{blue4: four, blue6: six} {
				var want []netip.Addr
				for _, h := range hosts {
					want = append(want, hops[h])
				}
				got := slices.SortedFunc(slices.Values(routes[p]), netip.Addr.Compare)
				slices.SortFunc(want, netip.Addr.Compare)
				if !slices.Equal(got, want) {
					return fmt.Errorf("%s by %v, want %v; all: %v", p, got, want, routes)
				}
			}
			if len(routes) > 2 {
				return fmt.Errorf("more is announced: %v", routes)
			}
			return nil
		})
	}
	flows := func() {
		t.Helper()
		for _, to := range []string{"10.20.0.11", "2001:db8:20::11"} {
			from, dst := lab.Machine(e.server), netip.MustParseAddr(to)
			if dst.Is6() {
				from = e.router
			}
			e.eventuallyPings(from, dst)
		}
		e.eventuallyPings(a, serverAddr)
		e.eventuallyPings(a, netip.MustParseAddr("2001:db8:f::1"))
	}
	e.must(e.server.AddRoute(netip.MustParsePrefix("10.20.0.0/24"), netip.MustParseAddr("198.51.100.1")))
	announced("h1", "h2")
	flows()
	s := e.serve(e.server, "tcp", serverAddr, 80)
	e.dial(a, s.Addr())
	eventually(t, 5*time.Second, func() error {
		if c := s.Clients(); len(c) != 1 || c[0].Addr() != netip.MustParseAddr("10.20.0.11") {
			return fmt.Errorf("the server has seen %v", c)
		}
		return nil
	})

	e.killSwitch("h1")
	announced("h2")
	flows()
	// A controller that dies, and one that starts again, change nothing.
	e.killController()
	announced("h2")
	e.startController()
	announced("h2")
	flows()
	e.startSwitch("h1")
	announced("h1", "h2")
	flows()
	e.killSwitch("h1")
	e.killSwitch("h2")
	announced()
	e.startSwitch("h1")
	announced("h1")
	flows()
	e.startSwitch("h2")
	announced("h1", "h2")
	e.api.delete(t, "/v1/tenants/acme/endpoints/a")
	e.api.delete(t, "/v1/tenants/acme/routers/core")
	announced()
}

// eventuallyPings waits for an answer: after a failure it is a matter of moments.
func (e *edge) eventuallyPings(from lab.Machine, to netip.Addr) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 10*time.Second)
	defer cancel()
	if err := lab.Ping(ctx, from, to); err != nil {
		e.t.Error(err)
	}
}
