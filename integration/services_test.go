package integration

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

func (m *manifest) service(tenant, name, spec string) *manifest {
	fmt.Fprintf(m, "---\nkind: Service\nmetadata: {tenant: %s, name: %s}\nspec: {gateway: edge, %s}\n", tenant, name, spec)
	return m
}

// Acceptance 4 of gateways: endpoints reach services in the data centre that are declared,
// and nothing else; what is no longer declared is cut.
func TestServices(t *testing.T) {
	t.Parallel()
	e := startEdge(t, 0)
	// The DNS server has an address that tenants use themselves.
	dnsAddr, dnsInside := netip.MustParseAddr("10.0.0.53"), netip.MustParseAddr("192.0.2.53")
	if out, err := e.server.Command("ip", "addr", "add", "10.0.0.53/32", "dev", "lo").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := e.server.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	e.must(e.router.AddRoute(netip.PrefixFrom(dnsAddr, 32), serverAddr))
	const dns = "address: 10.0.0.53, insideAddress: 192.0.2.53, ports: [{protocol: udp, port: 53}, {protocol: tcp, port: 53}]"
	const ldap = "address: 198.51.100.10, ports: [{protocol: tcp, port: 389}]"
	m := new(manifest)
	for i, tenant := range []string{"acme", "globex"} {
		m.tenant(tenant).network(tenant, "blue", "10.0.0.0/24", fmt.Sprintf("2001:db8:%d::/64", i+1)).
			connected(tenant, "core", "{name: edge, servicesOnly: true}", "blue").service(tenant, "ldap", ldap)
		for j, name := range []string{"a", "b", "c"} {
			m.endpoint(tenant, name, "blue", fmt.Sprintf("10.0.0.%d", 11+j), fmt.Sprintf("2001:db8:%d::%d", i+1, 11+j))
		}
	}
	m.service("acme", "dns", dns)
	e.api.apply(t, m.String())
	nodes := map[string]*node{}
	for _, tenant := range []string{"acme", "globex"} {
		for j, name := range []string{"a", "b", "c"} {
			id := tenant + "/" + name
			nodes[id] = e.attach(id, fmt.Sprintf("h%d", j+1))
		}
	}
	addresses := map[string]netip.Addr{}
	for id := range nodes {
		e.realized(id)
	}
	for _, tenant := range []string{"acme", "globex"} {
		e.api.realized(t, "/v1/tenants/"+tenant+"/routers/core", "/v1/tenants/"+tenant+"/services/ldap")
		addresses[tenant] = e.api.get(t, "/v1/tenants/"+tenant+"/routers/core").Status.Gateways[0].Addresses[0]
	}
	e.api.realized(t, "/v1/gateways/edge", "/v1/tenants/acme/services/dns")

	sDNS, sDNSTCP := e.serve(e.server, "udp", dnsAddr, 53), e.serve(e.server, "tcp", dnsAddr, 53)
	sLDAP := e.serve(e.server, "tcp", serverAddr, 389)
	for _, s := range []struct {
		network string
		addr    netip.Addr
		port    uint16
	}{{"tcp", serverAddr, 80}, {"udp", serverAddr, 389}, {"udp", dnsAddr, 54}, {"tcp", dnsAddr, 389}} {
		e.serve(e.server, s.network, s.addr, s.port)
	}
	e.serve(e.router, "tcp", routerAddr, 389)
	at := netip.AddrPortFrom
	t.Run("what is declared", func(t *testing.T) {
		for id, n := range nodes {
			tenant := id[:len(id)-2]
			e.seenAs(n, at(serverAddr, 389), sLDAP, addresses[tenant])
			if tenant == "acme" {
				e.datagram(n, at(dnsInside, 53), sDNS, addresses[tenant])
				e.seenAs(n, at(dnsInside, 53), sDNSTCP, addresses[tenant])
			}
		}
	})
	t.Run("nothing else", func(t *testing.T) {
		for id, n := range nodes {
			for _, to := range []netip.AddrPort{at(serverAddr, 80), at(routerAddr, 389), at(dnsInside, 389), at(dnsAddr, 53), at(dnsAddr, 389)} {
				e.refuses(n, to)
			}
			for _, to := range []netip.AddrPort{at(serverAddr, 389), at(dnsInside, 54), at(dnsAddr, 53)} {
				e.noDatagram(n, to)
			}
			for _, to := range []string{"198.51.100.10", "192.0.2.53", "10.0.0.53", "203.0.113.1", "2001:db8:f::1"} {
				n.mustNotPing(t, to)
			}
			if id[:len(id)-2] == "globex" {
				e.refuses(n, at(dnsInside, 53))
				e.noDatagram(n, at(dnsInside, 53))
			}
		}
	})
	t.Run("nobody gets in", func(t *testing.T) {
		lane4, lane6 := e.laneAddress(t, true), e.laneAddress(t, false)
		e.must(e.router.AddRoute(netip.MustParsePrefix("10.0.0.0/25"), lane4))
		defer func() { _ = e.router.Command("ip", "route", "del", "10.0.0.0/25").Run() }()
		for _, tenant := range []string{"acme", "globex"} {
			n := nodes[tenant+"/a"]
			v6 := netip.MustParseAddr(n.addresses[1])
			e.must(e.router.AddRoute(netip.PrefixFrom(v6, 64).Masked(), lane6))
			for _, addr := range []netip.Addr{n.inside(), v6} {
				e.serve(n, "tcp", addr, 80)
				e.refuses(e.router, at(addr, 80))
				if out, err := e.router.Command("ping", "-c", "2", "-i", "0.2", "-W", "1", addr.String()).CombinedOutput(); err == nil {
					t.Errorf("a ping from outside reaches %s: %s", addr, out)
				}
			}
			e.refuses(e.server, at(addresses[tenant], 80))
		}
	})
	t.Run("removed", func(t *testing.T) {
		open := map[string]func() error{}
		for _, id := range []string{"acme/a", "acme/c", "globex/b"} {
			c := e.dial(nodes[id], at(serverAddr, 389))
			e.must(echoes(c))
			open[id] = func() error { return echoesWithin(c, deadTime) }
		}
		e.api.delete(t, "/v1/tenants/acme/services/ldap")
		e.api.delete(t, "/v1/tenants/acme/services/dns")
		for id, n := range nodes {
			if id[:len(id)-2] == "globex" {
				e.seenAs(n, at(serverAddr, 389), sLDAP, addresses["globex"])
				continue
			}
			e.refuses(n, at(serverAddr, 389))
			e.refuses(n, at(dnsInside, 53))
			e.noDatagram(n, at(dnsInside, 53))
		}
		for id, works := range open {
			if err := works(); (err == nil) != (id == "globex/b") {
				t.Errorf("the open connection of %s: %v", id, err)
			}
		}
	})
	t.Run("declared again", func(t *testing.T) {
		e.api.apply(t, new(manifest).service("acme", "dns", dns).String())
		e.api.realized(t, "/v1/tenants/acme/services/dns")
		e.datagram(nodes["acme/c"], at(dnsInside, 53), sDNS, addresses["acme"])
	})
}

func (e *edge) noDatagram(from lab.Machine, to netip.AddrPort) {
	e.t.Helper()
	if e.tryDatagram(from, to, 1) == nil {
		e.t.Errorf("%s reaches UDP %s and must not", from.Namespace(), to)
	}
}
