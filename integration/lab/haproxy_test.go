package lab

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// HAProxy spreads connections over servers that are alive, and ends with its namespace.
func TestHAProxy(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	if _, err := l.Host("h1").Ofctl("add-flow", "br-int", "actions=NORMAL"); err != nil {
		t.Fatal(err)
	}
	client := attach(t, l, "h1", 1)
	balancer, err := l.AttachOneArmed(l.Host("h1"), port(1, both(v4(100), v6(100))...))
	ok(t, err)
	cfg := HAProxyConfig{Listen: netip.AddrPortFrom(v4(100), 80), CheckInterval: 50 * time.Millisecond}
	servers := map[string]*WebServer{}
	for i := 2; i <= 4; i++ {
		name := fmt.Sprintf("web%d", i)
		s, err := ServeWeb(attach(t, l, "h1", i), netip.AddrPortFrom(v4(i), 8080), name)
		ok(t, err)
		defer func() { _ = s.Close() }()
		servers[name] = s
		cfg.Backends = append(cfg.Backends, HAProxyBackend{name, s.Addr()})
	}
	h, err := balancer.In.StartHAProxy(cfg)
	ok(t, err)
	alive := func(want map[string]bool) {
		t.Helper()
		waitUntil(t, fmt.Sprint(want), func() bool {
			got, err := h.Backends(t.Context())
			ok(t, err)
			return maps.Equal(got, want)
		})
	}
	answers := func() []string {
		t.Helper()
		seen := map[string]bool{}
		for range 6 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			name, err := AskWeb(ctx, client, cfg.Listen)
			cancel()
			ok(t, err)
			seen[name] = true
		}
		return slices.Sorted(maps.Keys(seen))
	}
	alive(map[string]bool{"web2": true, "web3": true, "web4": true})
	if got := answers(); !slices.Equal(got, []string{"web2", "web3", "web4"}) {
		t.Errorf("%s answer", got)
	}
	for _, c := range servers["web3"].Clients() {
		if c.Addr() != v4(100) {
			t.Errorf("a server is asked by %s", c)
		}
	}
	ok(t, servers["web3"].Close())
	alive(map[string]bool{"web2": true, "web3": false, "web4": true})
	if got := answers(); !slices.Equal(got, []string{"web2", "web4"}) {
		t.Errorf("%s answer, and web3 is gone", got)
	}

	if _, err := balancer.In.StartHAProxy(cfg); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second HAProxy: %v", err)
	}
	ok(t, h.Kill())
	if opens(t, client, cfg.Listen) == nil {
		t.Error("somebody answers for HAProxy")
	}
	_, err = balancer.In.StartHAProxy(HAProxyConfig{Listen: netip.AddrPortFrom(v4(99), 80), Backends: cfg.Backends})
	if err == nil || !strings.Contains(err.Error(), "10.0.0.99") {
		t.Errorf("HAProxy at another's address: %v", err)
	}
	// It ends with the lab: see up.
	_, err = balancer.In.StartHAProxy(cfg)
	ok(t, err)
}

func TestReadBackends(t *testing.T) {
	line := func(name, status string) string { return "lab," + name + strings.Repeat(",", 16) + status + ",1,\n" }
	got, err := readBackends(strings.NewReader("# pxname,svname" + strings.Repeat(",", 16) + "status,weight,\n" +
		line("FRONTEND", "OPEN") + line("a", "UP") + line("b", "UP 1/2") + line("c", "DOWN") + line("d", "no check") + line("BACKEND", "UP") + "\n"))
	if want := map[string]bool{"a": true, "b": true, "c": false, "d": false}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := readBackends(strings.NewReader("Unknown command\n")); err == nil {
		t.Error("what is no table is read")
	}
}
