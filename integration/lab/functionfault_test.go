package lab

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A function fails in each way, and comes back as it was; the switch sees those
// failures that a real one would show it.
func TestFunctionFaults(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(t *testing.T) (*Function, *Workload, []netip.Addr){
		"transparent": func(t *testing.T) (*Function, *Workload, []netip.Addr) {
			f, w1, _ := transparent(t)
			return f, w1, []netip.Addr{v4(2)}
		},
		"routed": func(t *testing.T) (*Function, *Workload, []netip.Addr) {
			_, f, near, far := routed(t)
			// Addresses that are reached by the function's routes alone, the second by its default.
			lo := []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("203.0.113.7")}
			for _, a := range lo {
				ok(t, run("ip", "-n", far.Namespace(), "addr", "add", a.String()+"/32", "dev", "lo"))
			}
			ok(t, f.AddRoute(Route{netip.PrefixFrom(lo[0], 24).Masked(), v4(1)}))
			ok(t, f.AddRoute(Route{netip.PrefixFrom(lo[0], 24).Masked(), far4(1)}))
			return f, near, append(lo, far6(1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, from, to := make(t)
			for _, tc := range []struct {
				name   string
				fail   func(failed bool) error
				inDown bool
			}{
				{"stops forwarding", func(failed bool) error { return f.Forward(!failed) }, false},
				{"hangs", f.Freeze, false},
				{"both links down", func(failed bool) error { return f.SetLink(!failed) }, true},
				{"out down", func(failed bool) error { return f.SetLink(!failed, f.Out) }, false},
			} {
				for _, addr := range to {
					reaches(t, from, addr)
				}
				ok(t, tc.fail(true))
				must(t, f.In.Host(), "wait-until", "Interface", f.In.Port(), "link_state="+map[bool]string{true: "down", false: "up"}[tc.inDown])
				for _, addr := range to {
					unreachable(t, from, addr)
				}
				ok(t, tc.fail(false))
				must(t, f.In.Host(), "wait-until", "Interface", f.In.Port(), "link_state=up")
				for _, addr := range to {
					reaches(t, from, addr)
				}
				if t.Failed() {
					t.Fatal(tc.name)
				}
			}
		})
	}
}

// Connections and streams say when a function stops, and go on with it; those that
// are reset say so for good.
func TestConnectionsAndStream(t *testing.T) {
	t.Parallel()
	f, w1, w2 := transparent(t)
	s, err := Serve(w2, "tcp", netip.AddrPortFrom(v4(2), 80))
	ok(t, err)
	c := connect(t, w1, s.Addr(), 200)
	stream, err := StartStream(t.Context(), w1, s.Addr())
	ok(t, err)
	want(t, c, map[ConnectionState]int{ConnectionWorks: 200})
	for _, a := range c.LocalAddrs() {
		if !slices.Contains(s.Clients(), a) {
			t.Errorf("the server does not know %s", a)
		}
	}
	moves := func() {
		t.Helper()
		before := stream.Bytes()
		waitUntil(t, "the stream", func() bool { return stream.Bytes() > before+1_000_000 })
	}
	moves()

	ok(t, f.Freeze(true))
	want(t, c, map[ConnectionState]int{ConnectionSilent: 200})
	if stream.Waiting() < 400*time.Millisecond {
		t.Errorf("the stream goes on; it waits for %s", stream.Waiting())
	}
	ok(t, f.Freeze(false))
	waitUntil(t, "the connections", func() bool { return c.Count(2 * time.Second)[ConnectionWorks] == 200 })
	moves()
	if n, longest, err := stream.Stop(); err != nil || n < 2_000_000 || longest < 400*time.Millisecond || longest > 5*time.Second {
		t.Errorf("the stream had %d bytes, waited for %s and ended with %v", n, longest, err)
	}

	stream, err = StartStream(t.Context(), w1, s.Addr())
	ok(t, err)
	// The server's kernel resets what its process no longer has.
	ok(t, s.Close())
	want(t, c, map[ConnectionState]int{ConnectionBroken: 200})
	waitUntil(t, "the stream's end", func() bool { return stream.Err() != nil })
	if _, _, err := stream.Stop(); err == nil {
		t.Error("a stream that was ended by the other side says nothing of it")
	}
	if _, err := OpenConnections(t.Context(), w1, s.Addr(), 3); err == nil {
		t.Error("connections to nobody are opened")
	}
}

// A tap keeps what it is told to, and counts it.
func TestTap(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	w1, w2 := attach(t, l, "h1", 1), attach(t, l, "h1", 2)
	patch(t, l.Host("h1"), [2]*Workload{w1, w2})
	tap, err := StartTap(w2, func(f []byte) bool { return f[12] == 0x88 && f[13] == 0xb5 })
	ok(t, err)
	frame := func(n byte) []byte {
		return append([]byte{2, 0, 0, 0, 0, 99, 2, 9, 9, 9, 9, 9, 0x88, 0xb5, n}, make([]byte, 50)...)
	}
	for n := range 50 {
		ok(t, w1.Send(frame(byte(n))))
	}
	reaches(t, w1, v4(2))
	waitUntil(t, "the frames", func() bool { return tap.Count() == 50 })
	for n, f := range tap.Frames() {
		if !slices.Equal(f, frame(byte(n))) {
			t.Errorf("frame %d is %x", n, f)
		}
	}
	ok(t, tap.Close())
}
