package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
	"github.com/dovetail-sdn/dovetail/topology"
)

var nearAddr = netip.MustParseAddr("203.0.113.50")

// deadTime is for how long nothing has to come before nothing will.
const deadTime = 500 * time.Millisecond

// floats is an edge with two tenants that have the same addresses: endpoints a, b and c
// on h1, h2 and h3, and a floating IP for each. Another machine, near, is on the external
// network itself.
type floats struct {
	*edge
	near  *lab.Outside
	nodes map[string]*node      // by TENANT/NAME
	addr  map[string]netip.Addr // the floating IP of each
}

func startFloats(t *testing.T) *floats {
	t.Helper()
	f := &floats{edge: startEdge(t, 0), nodes: map[string]*node{}, addr: map[string]netip.Addr{}}
	f.near = f.outside(lab.OutsideConfig{Name: "near", Addresses: prefixes("203.0.113.50/24", "2001:db8:f::50/64")})
	f.must(f.near.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), routerAddr))
	m := new(manifest)
	for i, tenant := range []string{"acme", "globex"} {
		m.tenant(tenant).network(tenant, "blue", "10.0.0.0/24", fmt.Sprintf("2001:db8:%d::/64", i+1)).
			connected(tenant, "core", "{name: edge}", "blue")
		for j, name := range []string{"a", "b", "c"} {
			id := tenant + "/" + name
			f.addr[id] = netip.AddrFrom4([4]byte{203, 0, 113, byte(110 + 10*i + j)})
			m.endpoint(tenant, name, "blue", fmt.Sprintf("10.0.0.%d", 11+j), fmt.Sprintf("2001:db8:%d::%d", i+1, 11+j)).
				floating(tenant, name, fmt.Sprintf("address: %s, endpoint: %s", f.addr[id], name))
		}
	}
	f.api.apply(t, m.String())
	for id := range f.addr {
		f.nodes[id] = f.attach(id, map[byte]string{'a': "h1", 'b': "h2", 'c': "h3"}[id[len(id)-1]])
	}
	for id := range f.addr {
		f.realized(id)
		f.realizedFloat(id)
	}
	f.api.realized(t, "/v1/gateways/edge", "/v1/tenants/acme/routers/core", "/v1/tenants/globex/routers/core")
	return f
}

func (e *edge) realizedFloat(id string) {
	e.t.Helper()
	e.api.realized(e.t, floatingPath(id))
}

func floatingPath(id string) string {
	tenant, name, _ := strings.Cut(id, "/")
	return "/v1/tenants/" + tenant + "/floating-ips/" + name
}

// inside is a node's own IPv4 address.
func (n *node) inside() netip.Addr { return netip.MustParseAddr(n.addresses[0]) }

// seenAs opens a connection to a server, and checks which client that sees.
func (e *edge) seenAs(from lab.Machine, to netip.AddrPort, s *lab.Server, want netip.Addr) {
	e.t.Helper()
	before := len(s.Clients())
	c, err := e.tryDial(from, to, 5*time.Second)
	if err != nil {
		e.t.Errorf("from %s to %s: %v", from.Namespace(), to, err)
		return
	}
	defer func() { _ = c.Close() }()
	if err := echoes(c); err != nil {
		e.t.Errorf("from %s to %s: %v", from.Namespace(), to, err)
		return
	}
	if got := s.Clients()[before:]; len(got) != 1 || got[0].Addr() != want {
		e.t.Errorf("from %s to %s is seen as %s, want %s", from.Namespace(), to, got, want)
	}
}

func (e *edge) tryDial(from lab.Machine, to netip.AddrPort, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(e.t.Context(), limit)
	defer cancel()
	return lab.Dial(ctx, from, to, netip.AddrPort{})
}

func (e *edge) tryPing(from lab.Machine, to netip.Addr) error {
	ctx, cancel := context.WithTimeout(e.t.Context(), 5*time.Second)
	defer cancel()
	return lab.Ping(ctx, from, to)
}

// refuses checks that a machine cannot open a connection.
func (e *edge) refuses(from lab.Machine, to netip.AddrPort) {
	e.t.Helper()
	if c, err := e.tryDial(from, to, deadTime); err == nil {
		_ = c.Close()
		e.t.Errorf("%s can connect to %s and must not", from.Namespace(), to)
	}
}

// echoes says whether a connection to an echo server still works.
func echoes(c net.Conn) error { return echoesWithin(c, 5*time.Second) }

func echoesWithin(c net.Conn, limit time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 16))
	return err
}

// Acceptance 2 of gateways: who is outside opens connections to floating IPs on all
// hosts, and is seen with its own address; the endpoints leave with their floating IPs.
func TestFloatingIPs(t *testing.T) {
	t.Parallel()
	f := startFloats(t)
	ids := []string{"acme/a", "acme/b", "acme/c", "globex/a", "globex/b", "globex/c"}
	servers := map[string]*lab.Server{}
	for _, id := range ids {
		servers[id] = f.serve(f.nodes[id], "tcp", f.nodes[id].inside(), 80)
	}
	at := func(id string) netip.AddrPort { return netip.AddrPortFrom(f.addr[id], 80) }
	t.Run("from outside", func(t *testing.T) {
		for _, id := range ids {
			f.seenAs(f.near, at(id), servers[id], nearAddr)
			f.seenAs(f.server, at(id), servers[id], serverAddr)
			if err := f.tryPing(f.near, f.addr[id]); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("to outside", func(t *testing.T) {
		far, near := f.serve(f.server, "tcp", serverAddr, 80), f.serve(f.near, "tcp", nearAddr, 80)
		for _, id := range ids {
			f.seenAs(f.nodes[id], far.Addr(), far, f.addr[id])
			f.seenAs(f.nodes[id], near.Addr(), near, f.addr[id])
		}
	})
	t.Run("from each to each", func(t *testing.T) {
		for _, from := range ids {
			for _, to := range ids {
				if from != to {
					f.seenAs(f.nodes[from], at(to), servers[to], f.addr[from])
				}
			}
		}
	})
	if t.Failed() {
		return
	}
	t.Run("moved to another endpoint", func(t *testing.T) {
		clients := map[lab.Machine]netip.Addr{f.near: nearAddr, f.server: serverAddr}
		for _, way := range [][2]string{{"a", "b"}, {"b", "c"}, {"c", "a"}} { // from host to host, to the gateway and back
			from, to := way[0], way[1]
			reserve := func(name string) *manifest {
				return new(manifest).floating("acme", name, "address: "+f.addr["acme/"+name].String())
			}
			stand := func(name, endpoint string) {
				f.api.apply(t, new(manifest).floating("acme", name, fmt.Sprintf("address: %s, endpoint: %s", f.addr["acme/"+name], endpoint)).String())
			}
			f.api.apply(t, reserve(to).String())
			stand(from, from)
			f.realizedFloat("acme/" + from)
			for client := range clients {
				f.seenAs(client, at("acme/"+from), servers["acme/"+from], clients[client])
			}
			began := time.Now()
			stand(from, to)
			for client := range clients {
				eventually(t, time.Until(began.Add(time.Second)), func() error {
					before := len(servers["acme/"+to].Clients())
					c, err := f.tryDial(client, at("acme/"+from), 100*time.Millisecond)
					if err != nil {
						return err
					}
					defer func() { _ = c.Close() }()
					// One that the endpoint before has accepted may hang.
					if err := echoesWithin(c, 100*time.Millisecond); err != nil {
						return err
					}
					if len(servers["acme/"+to].Clients()) == before {
						return errorf("the floating IP of %s still leads there", from)
					}
					return nil
				})
			}
			t.Logf("from %s to %s: %s", from, to, time.Since(began).Round(time.Millisecond))
			f.api.apply(t, reserve(from).String())
		}
	})
}

// Ports of a floating IP lead to endpoints on two hosts, and to others than their own.
func TestPortForwards(t *testing.T) {
	t.Parallel()
	f := startFloats(t)
	vip := netip.MustParseAddr("203.0.113.130")
	m := new(manifest)
	for i, name := range []string{"d", "e", "f"} {
		m.endpoint("acme", name, "blue", fmt.Sprintf("10.0.0.%d", 21+i))
	}
	m.floating("acme", "vip", "address: "+vip.String()+`, ports: [
  {protocol: tcp, port: 8080, endpoint: d, endpointPort: 80},
  {protocol: tcp, port: 8081, endpoint: f, endpointPort: 80},
  {protocol: tcp, port: 8082, endpoint: d, endpointPort: 81},
  {protocol: udp, port: 53, endpoint: e}]`)
	f.api.apply(t, m.String())
	a, b, c := f.attach("acme/d", "h1"), f.attach("acme/e", "h2"), f.attach("acme/f", "h3")
	f.realized("acme/d", "acme/e", "acme/f")
	f.realizedFloat("acme/vip")
	sa, sa2, sc := f.serve(a, "tcp", a.inside(), 80), f.serve(a, "tcp", a.inside(), 81), f.serve(c, "tcp", c.inside(), 80)
	sb := f.serve(b, "udp", b.inside(), 53)
	clients := map[lab.Machine]netip.Addr{f.near: nearAddr, f.server: serverAddr, f.nodes["globex/a"]: f.addr["globex/a"], f.nodes["globex/c"]: f.addr["globex/c"]}
	for client, addr := range clients {
		f.seenAs(client, netip.AddrPortFrom(vip, 8080), sa, addr)
		f.seenAs(client, netip.AddrPortFrom(vip, 8081), sc, addr)
		f.seenAs(client, netip.AddrPortFrom(vip, 8082), sa2, addr)
		f.datagram(client, netip.AddrPortFrom(vip, 53), sb, addr)
		f.refuses(client, netip.AddrPortFrom(vip, 80))
	}
	// What they begin themselves leaves as everything else of their router.
	far := f.serve(f.server, "tcp", serverAddr, 80)
	for _, n := range []*node{a, b, c} {
		f.seenAs(n, far.Addr(), far, f.api.get(t, "/v1/tenants/acme/routers/core").Status.Gateways[0].Addresses[0])
	}
}

// datagram sends a datagram to an echo server until an answer comes, and checks which
// client the server sees.
func (e *edge) datagram(from lab.Machine, to netip.AddrPort, s *lab.Server, want netip.Addr) {
	e.t.Helper()
	before := len(s.Clients())
	if err := e.tryDatagram(from, to, 5); err != nil {
		e.t.Errorf("from %s to %s: %v", from.Namespace(), to, err)
		return
	}
	if got := s.Clients()[before:]; slices.ContainsFunc(got, func(c netip.AddrPort) bool { return c.Addr() != want }) {
		e.t.Errorf("from %s to %s is seen as %s, want %s", from.Namespace(), to, got, want)
	}
}

// tryDatagram sends it so many times.
func (e *edge) tryDatagram(from lab.Machine, to netip.AddrPort, times int) error {
	c, err := lab.DialUDP(e.t.Context(), from, to, netip.AddrPort{})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for range times {
		if _, err = c.Write([]byte("hello")); err != nil {
			continue // an earlier one was refused
		}
		if err = c.SetReadDeadline(time.Now().Add(deadTime)); err != nil {
			return err
		}
		if _, err = c.Read(make([]byte, 16)); err == nil {
			return nil
		}
	}
	return err
}

// Only who is named may begin; answers to what the endpoint began come through, and
// nothing else.
func TestFloatingIPSources(t *testing.T) {
	t.Parallel()
	f := startFloats(t)
	for _, id := range []string{"acme/a", "acme/c"} {
		t.Run(id, func(t *testing.T) { f.sources(t, id) })
	}
	t.Run("on a host that is connected, and none of the gateway's", func(t *testing.T) {
		f.must(f.lab.Host("h3").MapBridge("physnet1"))
		eventually(t, 10*time.Second, func() error {
			for _, fl := range f.flows("h3") {
				if fl.table == int(tableDepart) && contains(fl.text, "nw_src=10.0.0.13") {
					return nil
				}
			}
			return errorf("h3 does not translate its endpoints' floating IPs")
		})
		f.sources(t, "acme/c")
	})
}

const tableDepart = 42

// sources has a floating IP reached by the machine near only.
func (f *floats) sources(t *testing.T, id string) {
	t.Helper()
	n := f.nodes[id]
	tenant, name, _ := strings.Cut(id, "/")
	spec := fmt.Sprintf("address: %s, endpoint: %s", f.addr[id], name)
	f.api.apply(t, new(manifest).floating(tenant, name, spec+", sources: [203.0.113.50/32]").String())
	f.realizedFloat(id)
	s := f.serve(n, "tcp", n.inside(), 81)
	defer func() { _ = s.Close() }()
	to := netip.AddrPortFrom(f.addr[id], 81)
	f.seenAs(f.near, to, s, nearAddr)
	f.refuses(f.server, to)
	f.refuses(f.nodes["globex/a"], to)
	far, answers := f.serve(f.server, "tcp", serverAddr, 0), f.serve(f.server, "udp", serverAddr, 0)
	f.seenAs(n, far.Addr(), far, f.addr[id])
	f.datagram(n, answers.Addr(), answers, f.addr[id])
	if err := f.tryPing(n, serverAddr); err != nil {
		t.Error(err)
	}
	f.refusedBy(t, n, netip.AddrPortFrom(serverAddr, 7)) // the error is about what the endpoint began
	f.refuses(f.server, to)
	f.api.apply(t, new(manifest).floating(tenant, name, spec).String())
	f.realizedFloat(id)
	f.seenAs(f.server, to, s, serverAddr)
}

// refusedBy sends a datagram to a closed port, and waits for the ICMP error.
func (f *floats) refusedBy(t *testing.T, from lab.Machine, to netip.AddrPort) {
	t.Helper()
	var c *net.UDPConn
	f.must(lab.Inside(from.Namespace(), func() (err error) {
		c, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		return err
	}))
	defer func() { _ = c.Close() }()
	eventually(t, 5*time.Second, func() error {
		_, err := c.Write([]byte("hello"))
		if err == nil {
			f.must(c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)))
			_, err = c.Read(make([]byte, 16))
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		return fmt.Errorf("%s was not refused by %s: %v", from.Namespace(), to, err)
	})
}

// IPv6 is routed: an endpoint has the address outside that it has inside.
func TestIPv6IsRouted(t *testing.T) {
	t.Parallel()
	f := startFloats(t)
	lane := f.laneAddress(t, false)
	for _, p := range prefixes("2001:db8:1::/64", "2001:db8:2::/64") {
		f.must(f.router.AddRoute(p, lane))
		f.must(f.near.AddRoute(p, netip.MustParseAddr("2001:db8:f::1")))
	}
	v6 := func(id string) netip.Addr { return netip.MustParseAddr(f.nodes[id].addresses[1]) }
	near := netip.MustParseAddr("2001:db8:f::50")
	out := f.serve(f.near, "tcp", near, 80)
	for id, n := range f.nodes {
		s := f.serve(n, "tcp", v6(id), 80)
		f.seenAs(f.router, s.Addr(), s, netip.MustParseAddr("2001:db8:f::1"))
		f.seenAs(f.near, s.Addr(), s, near)
		f.seenAs(n, out.Addr(), out, v6(id))
	}
	if err := f.tryPing(f.near, v6("acme/c")); err != nil {
		t.Error(err)
	}
}

// laneAddress is the address of the gateway's lane.
func (e *edge) laneAddress(t testing.TB, v4 bool) netip.Addr {
	t.Helper()
	var g struct {
		Status struct{ Lanes []topology.GatewayLane }
	}
	if err := json.Unmarshal(e.api.must(t, "GET", "/v1/gateways/edge", "", nil), &g); err != nil {
		t.Fatal(err)
	}
	for _, l := range g.Status.Lanes {
		for _, a := range l.Addresses {
			if a.Is4() == v4 {
				return a
			}
		}
	}
	t.Fatalf("the gateway has no such address: %+v", g.Status.Lanes)
	return netip.Addr{}
}

// An endpoint takes its floating IP along when it migrates, to a host of the gateway
// and to one that has no bridge to the outside; connections survive. It runs alone, since
// hosts without a processor for 150 ms are dead to each other.
func TestFloatingIPMigrates(t *testing.T) {
	f := startFloats(t)
	n, addr := f.nodes["acme/a"], f.addr["acme/a"]
	s := f.serve(n, "tcp", n.inside(), 80)
	for _, to := range []string{"h3", "h2", "h1", "h2"} {
		c := f.dial(f.server, netip.AddrPortFrom(addr, 80))
		onLink := f.dial(f.near, netip.AddrPortFrom(addr, 80))
		pings := map[string]*ping5ms{"near": outsidePinger(t, f.near, addr), "server": outsidePinger(t, f.server, addr)}
		for _, p := range pings {
			p.waitFor(t, 100)
		}
		from, flaps := n.Host().Name, f.flaps()
		f.move(n, to)
		for _, p := range pings {
			p.waitFor(t, p.replies()+400)
		}
		t.Logf("from %s to %s; hosts were taken for dead %d times", from, to, f.flaps()-flaps)
		for client, p := range pings {
			if _, lost := p.stop(t); lost > 40 {
				t.Errorf("from %s to %s: %d pings from %s were lost, 40 are allowed", from, to, lost, client)
			}
		}
		for _, c := range []net.Conn{c, onLink} {
			if err := echoes(c); err != nil {
				t.Errorf("from %s to %s: the connection did not survive: %v", from, to, err)
			}
		}
		f.realized("acme/a")
		f.realizedFloat("acme/a")
		f.seenAs(f.near, netip.AddrPortFrom(addr, 80), s, nearAddr)
		if t.Failed() {
			return
		}
	}
}

func outsidePinger(t testing.TB, from lab.Machine, to netip.Addr) *ping5ms {
	t.Helper()
	p, err := lab.NewPinger(from, to, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return &ping5ms{p}
}
