package lab

import (
	"context"
	"net/netip"
	"testing"
	"time"
)

// The two networks of the tests of routed functions are 10.0.0.0/24, fd00::/64 and
// 10.0.1.0/24, fd00:0:0:1::/64.
func far4(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 1, byte(n)}) }

func far6(n int) netip.Addr { return netip.AddrFrom16([16]byte{0xfd, 7: 1, 15: byte(n)}) }

func both(a4, a6 netip.Addr) []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(a4, 24), netip.PrefixFrom(a6, 64)}
}

// attachFar makes workload number n of the second network, whose gateway is 254.
func attachFar(t *testing.T, l *Lab, n int) *Workload {
	t.Helper()
	w, err := l.Attach(l.Host("h1"), AttachConfig{
		InterfaceID: "acme/far", MAC: "02:00:00:00:02:01", MTU: 1500,
		Addresses: both(far4(n), far6(n)), Gateways: []netip.Addr{far4(254), far6(254)},
	})
	ok(t, err)
	return w
}

// routed makes workloads in two networks and a routed function between them.
func routed(t *testing.T) (l *Lab, f *Function, near, far *Workload) {
	t.Helper()
	l = up(t, 1)
	h := l.Host("h1")
	near, far = attach(t, l, "h1", 1), attachFar(t, l, 1)
	in, out := port(1, both(v4(254), v6(254))...), port(2, both(far4(254), far6(254))...)
	in.Gateways, out.Gateways = []netip.Addr{v4(1), v6(1)}, []netip.Addr{far4(1), far6(1)}
	f, err := l.AttachRouted(h, in, out)
	ok(t, err)
	patch(t, h, [2]*Workload{near, f.In}, [2]*Workload{f.Out, far})
	return l, f, near, far
}

// A routed function routes both families, and its firewall knows connections.
func TestRoutedFunction(t *testing.T) {
	t.Parallel()
	_, f, near, far := routed(t)
	for _, to := range []netip.Addr{far4(1), far6(1)} {
		reaches(t, near, to)
		serve(t, far, to, 80)
		serve(t, far, to, 22)
	}
	serve(t, near, v4(1), 80)

	guard(t, f, Guard{Drop: true, Stateful: true, Counters: []string{"web"}, Rules: []string{`iifname "in" tcp dport 80 counter name web accept`}})
	for _, to := range []netip.Addr{far4(1), far6(1)} {
		ok(t, opens(t, near, netip.AddrPortFrom(to, 80)))
		if opens(t, near, netip.AddrPortFrom(to, 22)) == nil {
			t.Errorf("port 22 of %s is open", to)
		}
	}
	if opens(t, far, netip.AddrPortFrom(v4(1), 80)) == nil {
		t.Error("connections are opened against the firewall's direction")
	}
	c := counters(t, f)
	if c["in"].Packets == 0 || c["out"].Packets == 0 || c["dropped"].Packets == 0 || c["web"].Packets != 2 {
		t.Errorf("counters %+v: one packet of each connection is new", c)
	}
}

// A firewall that knows connections drops those whose beginning it has not seen, in
// a transparent function as well.
func TestStatefulKnowsBeginnings(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(t *testing.T) (f *Function, from, to *Workload, addr netip.Addr){
		"routed": func(t *testing.T) (*Function, *Workload, *Workload, netip.Addr) {
			_, f, near, far := routed(t)
			return f, near, far, far4(1)
		},
		"transparent": func(t *testing.T) (*Function, *Workload, *Workload, netip.Addr) {
			f, w1, w2 := transparent(t)
			return f, w1, w2, v4(2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, from, to, addr := make(t)
			at := serve(t, to, addr, 80).Addr()
			old := connect(t, from, at, 1)
			want(t, old, map[ConnectionState]int{ConnectionWorks: 1})
			g := Guard{Drop: true, Stateful: true, Rules: []string{`iifname "in" tcp dport 80 accept`}}
			guard(t, f, g)
			fresh := connect(t, from, at, 1)
			want(t, old, map[ConnectionState]int{ConnectionSilent: 1})
			// Answers are what is known, whatever else the rules say now.
			g.Rules = nil
			guard(t, f, g)
			want(t, fresh, map[ConnectionState]int{ConnectionWorks: 1})
			if opens(t, from, at) == nil {
				t.Error("a connection is opened that no rule accepts")
			}
		})
	}
}

// connect opens connections, which are closed with the test.
func connect(t *testing.T, from Machine, to netip.AddrPort, n int) *Connections {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := OpenConnections(ctx, from, to, n)
	ok(t, err)
	t.Cleanup(c.Close)
	return c
}

// want asks connections, which have half a second to answer.
func want(t *testing.T, c *Connections, states map[ConnectionState]int) {
	t.Helper()
	for state, n := range states {
		if got := c.Count(500 * time.Millisecond); got[state] != n {
			t.Errorf("connections are %v, want %v", got, states)
		}
	}
}

// A function with one port sends back where it gets from, by its default route and
// others.
func TestOneArmedFunction(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	h := l.Host("h1")
	// The function is the gateway of both workloads, which are in one network.
	w1, w2 := attach(t, l, "h1", 1), attach(t, l, "h1", 2)
	one := port(1, both(v4(254), v6(254))...)
	one.Gateways = []netip.Addr{v4(2), v6(2)}
	f, err := l.AttachOneArmed(h, one, Route{netip.MustParsePrefix("192.0.2.0/24"), v4(2)})
	ok(t, err)
	ok(t, f.AddRoute(Route{netip.MustParsePrefix("198.51.100.0/24"), v4(2)}))
	if _, err := h.Ofctl("add-flow", "br-int", "actions=NORMAL"); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"192.0.2.7/32", "198.51.100.7/32", "203.0.113.7/32", "2001:db8::7/128"} {
		ok(t, run("ip", "-n", w2.Namespace(), "addr", "add", a, "dev", "lo"))
		reaches(t, w1, netip.MustParsePrefix(a).Addr())
	}
	guard(t, f, Guard{Rules: []string{"ip daddr 192.0.2.7 drop"}})
	unreachable(t, w1, netip.MustParseAddr("192.0.2.7"))
	reaches(t, w1, netip.MustParseAddr("198.51.100.7"))
	if c := counters(t, f); c["in"].Packets < 2 || len(c) != 1 {
		t.Errorf("counters %+v", c)
	}
}
