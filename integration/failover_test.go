package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
	"github.com/dovetail-sdn/dovetail/topology"
)

var (
	serverAddr6  = netip.MustParseAddr("2001:db8:a::10")
	routedPrefix = netip.MustParsePrefix("2001:db8:1::/64")
	floatingAddr = netip.MustParseAddr("203.0.113.50")
)

// both gives the server an IPv6 address, and the machines outside routes to it and to
// an inside network by the lane's own address.
func (e *edge) both(inside netip.Prefix) {
	e.t.Helper()
	for _, c := range []struct {
		at   *lab.Outside
		args string
	}{
		{e.router, "addr add 2001:db8:a::1/64 dev to-server nodad"},
		{e.server, "addr add 2001:db8:a::10/64 dev to-router nodad"},
		{e.server, "-6 route add default via 2001:db8:a::1"},
	} {
		if out, err := c.at.Command(append([]string{"ip"}, strings.Fields(c.args)...)...).CombinedOutput(); err != nil {
			e.t.Fatalf("ip %s: %v: %s", c.args, err, out)
		}
	}
	for _, a := range e.lane().Addresses {
		if a.Is6() {
			e.must(e.router.AddRoute(inside, a))
		}
	}
}

// lane is the gateway's first one, as REST shows it.
func (e *edge) lane() topology.GatewayLane {
	e.t.Helper()
	var g struct{ Status topology.GatewayStatus }
	if err := json.Unmarshal(e.api.must(e.t, "GET", "/v1/gateways/edge", "", nil), &g); err != nil {
		e.t.Fatal(err)
	}
	if len(g.Status.Lanes) == 0 {
		e.t.Fatal("the gateway has no lanes")
	}
	return g.Status.Lanes[0]
}

// failoverSite is an edge whose endpoints a (source NAT, routed IPv6) and b (behind a
// floating IP) are on h3, which is no gateway host.
type failoverSite struct {
	*edge
	a, b *node
	echo netip.AddrPort // of the server outside
	a6   netip.Addr
}

func startFailover(t *testing.T) *failoverSite {
	s := &failoverSite{edge: startEdge(t, 0)}
	s.both(routedPrefix)
	m := new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24", routedPrefix.String()).connected("acme", "core", "{name: edge}", "blue").
		endpoint("acme", "a", "blue").endpoint("acme", "b", "blue").floating("acme", "web", "endpoint: b, address: "+floatingAddr.String())
	s.api.apply(t, m.String())
	s.a, s.b = s.attach("acme/a", "h3"), s.attach("acme/b", "h3")
	s.realized("acme/a", "acme/b")
	s.api.realized(t, "/v1/gateways/edge", "/v1/tenants/acme/floating-ips/web")
	s.echo = s.serve(s.server, "tcp", serverAddr, 0).Addr()
	i := slices.IndexFunc(s.a.addresses, func(a string) bool { return strings.Contains(a, ":") })
	s.a6 = netip.MustParseAddr(s.a.addresses[i])
	return s
}

// ways are the ways of packets through the gateway.
func (s *failoverSite) ways() []way {
	return []way{
		{"source NAT", s.a, serverAddr},
		{"floating IP", s.server, floatingAddr},
		{"routed, outward", s.a, serverAddr6},
		{"routed, inward", s.server, s.a6},
	}
}

type way struct {
	name string
	from lab.Machine
	to   netip.Addr
}

// traffic is a pinger on each way.
type traffic struct {
	t       *testing.T
	ways    []way
	pingers []*lab.Pinger
}

func (s *failoverSite) traffic(t *testing.T) *traffic {
	t.Helper()
	f := &traffic{t: t, ways: s.ways()}
	for _, w := range f.ways {
		p, err := lab.NewPinger(w.from, w.to, 5*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		f.pingers = append(f.pingers, p)
	}
	return f
}

// flows waits until each way has so many more replies.
func (f *traffic) flows(limit time.Duration, more int) {
	f.t.Helper()
	var before []int
	for _, p := range f.pingers {
		before = append(before, p.Replies())
	}
	eventually(f.t, limit, func() error {
		for i, p := range f.pingers {
			if got := p.Replies() - before[i]; got < more {
				return fmt.Errorf("%s: %d of %d replies", f.ways[i].name, got, more)
			}
		}
		return nil
	})
}

func (f *traffic) stop(what string) {
	var all sync.WaitGroup
	defer all.Wait()
	for i, p := range f.pingers {
		all.Go(func() {
			sent, lost, longest := p.Stop()
			f.t.Logf("%s: %s: %d pings, %d lost, the longest gap between replies %s", what, f.ways[i].name, sent, lost, longest.Round(time.Millisecond))
		})
	}
}

// exchange sends a line over a connection to an echo server and waits for it.
func exchange(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 5))
	return err
}

// link is the port by which a host watches a gateway host; "" is none.
func (e *edge) link(host, other string) (string, error) {
	return e.tryVsctl(host, "--bare", "--columns=name", "find", "Interface", "options:out_key=0", `options:remote_ip="`+e.vtep(other)+`"`)
}

// watched waits until h3 goes by the link to a gateway host, or has given it up.
func (s *failoverSite) watched(t *testing.T, host string, alive bool) {
	t.Helper()
	port := ""
	eventually(t, 20*time.Second, func() error {
		out, err := s.link("h3", host)
		if port = out; err == nil && port == "" {
			err = errors.New("h3 has no link to " + host)
		}
		return err
	})
	eventually(t, 20*time.Second, func() error {
		got, err := s.tryVsctl("h3", "--if-exists", "get", "Interface", port, "bfd_status:forwarding")
		if err == nil && got != fmt.Sprint(alive) {
			err = fmt.Errorf("h3 says of its link to %s: forwarding=%s", host, got)
		}
		return err
	})
}

// carried waits until REST says which host carries the lane.
func (e *edge) carried(t *testing.T, host string) {
	t.Helper()
	eventually(t, 30*time.Second, func() error {
		if at := e.lane().Active; at != host {
			return fmt.Errorf("the lane is on %q, not on %s", at, host)
		}
		return nil
	})
}

// sentOutside is how many packets a host has sent to the external network.
func (e *edge) sentOutside(host string) (n int) {
	e.t.Helper()
	out := e.ofctl(host, "dump-ports", "br-phys", e.vsctl(host, "get", "interface", "phys0", "ofport"))
	_, tx, _ := strings.Cut(out, "tx pkts=")
	if _, err := fmt.Sscanf(tx, "%d,", &n); err != nil {
		e.t.Fatalf("%v in %s", err, out)
	}
	return n
}

// Acceptance 5 of gateways: the gateway's traffic goes on when the host that carries
// it dies or is cut off, with the controller and without; and when it comes back.
func TestGatewayFailover(t *testing.T) {
	t.Parallel()
	s := startFailover(t)
	server := s.serve(s.b, "tcp", netip.IPv4Unspecified(), 80)
	routed := s.serve(s.a, "tcp", s.a6, 80)
	for _, fault := range []struct {
		name         string
		begin, end   func(string)
		losesItsFlow bool
	}{
		{"kill", s.killSwitch, s.startSwitch, true},
		{"cut", func(h string) { s.must(s.lab.Host(h).CutUnderlay(true)) }, func(h string) { s.must(s.lab.Host(h).CutUnderlay(false)) }, false},
	} {
		for _, controller := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, controller %t", fault.name, controller), func(t *testing.T) {
				s.carried(t, "h1")
				s.watched(t, "h1", true)
				f := s.traffic(t)
				// A session that has just come up needs 3 s to notice a death.
				f.flows(20*time.Second, 400)
				nat := s.dial(s.a, s.echo)
				survive := map[string]net.Conn{
					"floating IP": s.dial(s.server, netip.AddrPortFrom(floatingAddr, server.Addr().Port())),
					"routed":      s.dial(s.server, routed.Addr()),
				}
				for _, c := range append(slices.Collect(maps.Values(survive)), nat) {
					s.must(exchange(c))
				}
				if !controller {
					s.killController()
				}
				fault.begin("h1")
				f.flows(5*time.Second, 100)
				s.watched(t, "h1", false)
				f.stop("failover")
				if fault.name == "cut" {
					before := s.sentOutside("h1")
					g := s.traffic(t)
					g.flows(10*time.Second, 200)
					g.stop("while h1 is cut off")
					if after := s.sentOutside("h1"); after != before {
						t.Errorf("h1 is cut off, and has sent %d packets outside", after-before)
					}
				}
				for name, c := range survive {
					if err := exchange(c); err != nil {
						t.Errorf("the TCP connection by %s did not survive: %v", name, err)
					}
				}
				switch err := exchange(nat); {
				case err == nil:
					t.Log("the TCP connection by source NAT has survived")
				case errors.Is(err, os.ErrDeadlineExceeded):
					t.Error("the TCP connection by source NAT is neither alive nor reset")
				default:
					t.Logf("the TCP connection by source NAT was ended: %v", err)
				}
				f = s.traffic(t)
				f.flows(10*time.Second, 20)
				fault.end("h1")
				if !controller && fault.losesItsFlow {
					s.startController()
				}
				s.watched(t, "h1", true)
				f.flows(5*time.Second, 300)
				f.stop("failback")
				if s.ctl == nil {
					s.startController()
				}
				s.carried(t, "h1")
				for name, c := range survive {
					if err := exchange(c); err != nil {
						t.Errorf("the TCP connection by %s did not survive that h1 came back: %v", name, err)
					}
				}
			})
		}
	}
}
