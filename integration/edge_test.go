package integration

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// edge is a world with an outside: gateway hosts h1 and h2 have a bridge to it, h3 has
// none. A router outside, 203.0.113.1, leads to a server far away, 198.51.100.10.
type edge struct {
	*world
	router, server *lab.Outside
}

var (
	serverAddr = netip.MustParseAddr("198.51.100.10")
	routerAddr = netip.MustParseAddr("203.0.113.1")
)

const externalNetwork = `---
kind: ExternalNetwork
metadata: {name: internet}
spec:
  physicalNetwork: physnet1
  subnets:
  - cidr: 203.0.113.0/24
    nextHops: [203.0.113.1]
    pools: [203.0.113.100-203.0.113.199]
  - cidr: "2001:db8:f::/64"
    nextHops: ["2001:db8:f::1"]
    pools: ["2001:db8:f::100-2001:db8:f::1ff"]
---
kind: Gateway
metadata: {name: edge}
spec:
  externalNetwork: internet
  hosts: [{name: h1}, {name: h2}]
`

// startEdge makes that world; farMTU is that of the link to the server, 0 for 1500.
func startEdge(t *testing.T, farMTU int) *edge {
	t.Helper()
	e := &edge{}
	e.world = startWith(t, 3, setup{host: func(w *world, host string) {
		if host == "h3" {
			return
		}
		if err := w.lab.Host(host).MapBridge("physnet1"); err != nil {
			t.Fatal(err)
		}
	}})
	e.router = e.outside(lab.OutsideConfig{Name: "router", Addresses: prefixes("203.0.113.1/24", "2001:db8:f::1/64"), Forward: true, Underlay: true})
	e.server = e.outside(lab.OutsideConfig{Name: "server"})
	if farMTU == 0 {
		farMTU = 1500
	}
	e.must(e.router.Link(e.server, netip.MustParsePrefix("198.51.100.1/24"), netip.MustParsePrefix("198.51.100.10/24"), farMTU))
	e.must(e.server.AddRoute(netip.MustParsePrefix("203.0.113.0/24"), netip.MustParseAddr("198.51.100.1")))
	e.api.apply(t, externalNetwork)
	return e
}

func prefixes(list ...string) []netip.Prefix {
	var p []netip.Prefix
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

func (e *edge) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *edge) outside(cfg lab.OutsideConfig) *lab.Outside {
	e.t.Helper()
	o, err := e.lab.Outside(cfg)
	e.must(err)
	return o
}

func (e *edge) serve(at lab.Machine, network string, addr netip.Addr, port uint16) *lab.Server {
	e.t.Helper()
	s, err := lab.Serve(at, network, netip.AddrPortFrom(addr, port))
	e.must(err)
	e.t.Cleanup(func() { _ = s.Close() })
	return s
}

// dial opens a TCP connection, which ends with the test.
func (e *edge) dial(from lab.Machine, to netip.AddrPort) net.Conn {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
	defer cancel()
	c, err := lab.Dial(ctx, from, to, netip.AddrPort{})
	e.must(err)
	e.t.Cleanup(func() { _ = c.Close() })
	return c
}

// connected adds a router that is connected to the gateway edge; more is added to what
// is said of that.
func (m *manifest) connected(tenant, name, gateway string, networks ...string) *manifest {
	m.router(tenant, name, networks...)
	fmt.Fprintf(m, "  gateways: [%s]\n", gateway)
	return m
}

func (m *manifest) floating(tenant, name, spec string) *manifest {
	fmt.Fprintf(m, "---\nkind: FloatingIP\nmetadata: {tenant: %s, name: %s}\nspec: {gateway: edge, %s}\n", tenant, name, spec)
	return m
}
