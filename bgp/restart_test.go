package bgp

import (
	"bytes"
	"context"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// watch polls the router until it is stopped, and fails if a route is not there or if
// the router's kernel, which tells more than polls see, has lost it.
func (r *router) watch(t *testing.T, want string, prefix string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var told bytes.Buffer
	monitor := exec.Command("ip", "-n", r.name, "monitor", "route")
	monitor.Stdout = &told
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		for polls := 0; ctx.Err() == nil; polls++ {
			got := r.routes()
			if !slices.ContainsFunc(got, func(s string) bool { return strings.TrimSuffix(s, " stale") == want }) {
				t.Errorf("poll %d: the router has %v, not %q", polls, got, want)
				return
			}
			if !r.installed(prefix) {
				t.Errorf("poll %d: the router's kernel has no route to %s", polls, prefix)
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
		_ = monitor.Process.Kill()
		_ = monitor.Wait()
		if strings.Contains(told.String(), "Deleted "+prefix) {
			t.Errorf("the router's kernel says: %s", &told)
		}
	}
}

var (
	stays = route("10.1.0.0/24", "203.0.113.11")
	six   = route("2001:db8:a::/48", "2001:db8:1::11")
	goes  = route("10.2.0.0/24", "203.0.113.11")
)

func (r *router) waitStale() {
	r.t.Helper()
	eventually(r.t, "the routes are kept as stale", func() (bool, any) {
		got := r.routes()
		return slices.Contains(got, strs([]Route{stays})[0]+" stale") && slices.Contains(got, strs([]Route{six})[0]+" stale"), got
	})
}

func TestRoutesOutliveAKilledSpeaker(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	cfg := config(64512, Peer{Address: r.addr, ASN: 65001})
	kill := startChild(t, childPlan{cfg, []Route{stays, six, goes}})
	r.waitRoutes(stays, six, goes)
	stop4 := r.watch(t, strs([]Route{stays})[0], "10.1.0.0/24")
	stop6 := r.watch(t, strs([]Route{six})[0], "2001:db8:a::/48")
	defer func() { stop4(); stop6() }()

	kill()
	r.waitStale()
	kill = startChild(t, childPlan{cfg, []Route{stays, six}})
	r.waitRoutes(stays, six)
	// And once more, with the session that a restart has made.
	kill()
	r.waitStale()
	startChild(t, childPlan{cfg, []Route{stays, six}})
	r.waitRoutes(stays, six)
}

func TestRoutesOutliveAClosedSpeaker(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	cfg := config(64512, Peer{Address: r.addr, ASN: 65001})
	s := startSpeaker(t, cfg)
	announce(t, s, stays, six, goes)
	r.waitRoutes(stays, six, goes)
	defer r.watch(t, strs([]Route{stays})[0], "10.1.0.0/24")()
	s.Close()
	s.Close()
	r.waitStale()
	s = startSpeaker(t, cfg)
	announce(t, s, stays, six)
	r.waitRoutes(stays, six)
}

// A session that breaks while the speaker goes on, and one that has to be made anew.
func TestRoutesOutliveASession(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 65001}))
	announce(t, s, stays, six)
	r.waitRoutes(stays, six)
	defer r.watch(t, strs([]Route{stays})[0], "10.1.0.0/24")()
	for range 2 {
		before := waitEstablished(t, s, r.addr)
		r.run("ss", "-K", "dst", r.addr.String())
		eventually(t, "another session", func() (bool, any) {
			p := stateOf(s, r.addr)
			return !p.Established.IsZero() && p.Established != before.Established, p
		})
		r.waitRoutes(stays, six)
	}
	cfg := config(64512, Peer{Address: r.addr, ASN: 65001})
	cfg.RouterID = cfg.RouterID.Next()
	apply(t, s, cfg)
	r.waitRoutes(stays, six)
}

// A speaker whose host vanishes says nothing at all: the peer's hold timer ends the session.
func TestRoutesOutliveASilentSpeaker(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 65001}))
	announce(t, s, stays, six)
	r.waitRoutes(stays, six)
	defer r.watch(t, strs([]Route{stays})[0], "10.1.0.0/24")()
	block := []string{"ip", "-n", r.name, "route", "add", "blackhole", r.us.String() + "/32"}
	r.run(block...)
	r.waitStale()
	block[4] = "del"
	r.run(block...)
	r.waitRoutes(stays, six)
}

// Longer than restartTime, peers that can keep the routes as a last resort.
func TestRoutesOutliveTheRestartTime(t *testing.T) {
	r := startRouter(t, 65001, 64512, "bgp long-lived-graceful-restart stale-time 3600")
	s := New(startSpeaker(t, config(64512)).log)
	s.limits.restart = time.Second
	apply(t, s, config(64512, Peer{Address: r.addr, ASN: 65001}))
	announce(t, s, stays, six)
	r.waitRoutes(stays, six)
	defer r.watch(t, strs([]Route{stays})[0], "10.1.0.0/24")()
	s.Close()
	eventually(t, "long-lived stale routes", func() (bool, any) {
		out := string(r.vtysh("show bgp ipv4 unicast 10.1.0.0/24"))
		return strings.Contains(out, "llgr-stale"), out
	})
}

func TestCloseEndsAllGoroutines(t *testing.T) {
	r, l := startRouter(t, 65001, 64512), listen(t)
	before := runtime.NumGoroutine()
	s := New(startSpeaker(t, config(64512)).log)
	apply(t, s, config(64512, Peer{Address: r.addr, ASN: 65001}, l.peer(65001), Peer{Address: r.addr6(), ASN: 65001}))
	announce(t, s, stays)
	r.waitRoutes(stays)
	l.accept(t) // a session that never gets beyond OPEN
	s.Close()
	eventually(t, "goroutines end", func() (bool, any) {
		now := runtime.NumGoroutine()
		return now <= before, now
	})
}
