package integration

import (
	"net/netip"
	"testing"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Acceptance 6 of chains: a firewall between a router's networks and the outside, for
// floating IPs on the host of their endpoint and at the gateway, and for source NAT.
func TestChainAtTheGateway(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"routed", "transparent"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := startEdge(t, 0)
			s := &chainSite{e.world}
			m := new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24").network("acme", "svc", svcNet).
				connected("acme", "core", "{name: edge}", "blue", "svc").
				endpoints("near blue 10.0.0.11", "far blue 10.0.0.12", "plain blue 10.0.0.13", "fw-in svc 10.0.9.11", "fw-out svc 10.0.9.12").
				floating("acme", "near", "address: 203.0.113.110, endpoint: near").floating("acme", "far", "address: 203.0.113.111, endpoint: far").
				function("fw", "type: "+kind+", instances: [{in: fw-in, out: fw-out}]").
				chain("border", "functions: [fw], sources: [{external: true}], destinations: [{network: blue}]")
			e.api.apply(t, m.String())
			near, far, plain := e.attach("acme/near", "h2"), e.attach("acme/far", "h3"), e.attach("acme/plain", "h3")
			var fw *lab.Function
			if kind == "transparent" {
				fw = s.transparent("fw", "h1")
			} else {
				in, out := s.arm("fw-in"), s.arm("fw-out")
				var err error
				fw, err = e.lab.AttachRouted(e.lab.Host("h1"), in, out,
					lab.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: in.Gateways[0]}, lab.Route{Dst: netip.MustParsePrefix("10.0.0.0/24"), Via: out.Gateways[0]})
				e.must(err)
			}
			e.must(fw.Guard(lab.Guard{Drop: true, Stateful: true, Rules: []string{`tcp dport 80 accept`, `tcp dport 8080 accept`}}))
			e.realized("acme/near", "acme/far", "acme/plain", "acme/fw-in", "acme/fw-out")
			e.realizedFloat("acme/near")
			e.realizedFloat("acme/far")
			e.api.realized(t, "/v1/gateways/edge", "/v1/tenants/acme/routers/core", chainPath("border"))
			remote := e.serve(e.server, "tcp", serverAddr, 8080)
			blocked := e.serve(e.server, "tcp", serverAddr, 8081)
			passes := func(what string, do func()) {
				t.Helper()
				in, out := s.counted(fw, "in"), s.counted(fw, "out")
				do()
				if a, b := s.counted(fw, "in")-in, s.counted(fw, "out")-out; a == 0 || b == 0 {
					t.Errorf("%s: the firewall has seen %d packets from outside and %d from inside", what, a, b)
				}
			}
			for i, n := range []*node{near, far} {
				fip := netip.AddrFrom4([4]byte{203, 0, 113, byte(110 + i)})
				web := e.serve(n, "tcp", n.inside(), 80)
				e.serve(n, "tcp", n.inside(), 22)
				passes(n.id+" is reached", func() { e.seenAs(e.server, netip.AddrPortFrom(fip, 80), web, serverAddr) })
				e.refuses(e.server, netip.AddrPortFrom(fip, 22))
				passes(n.id+" begins", func() { e.seenAs(n, remote.Addr(), remote, fip) })
				e.refuses(n, blocked.Addr())
			}
			nat := e.api.get(t, "/v1/tenants/acme/routers/core").Status.Gateways[0].Addresses[0]
			passes("source NAT", func() { e.seenAs(plain, remote.Addr(), remote, nat) })
			e.refuses(plain, blocked.Addr())
			// What stays inside does not pass.
			in := s.counted(fw, "in")
			near.mustPing(t, "10.0.0.12")
			if more := s.counted(fw, "in") - in; more > 0 {
				t.Errorf("%d packets between endpoints pass the firewall", more)
			}
		})
	}
}
