package integration

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Acceptance 2 of chains: clients reach three web servers in another network through a
// firewall and a load balancer, in one chain. Behind the load balancer, which makes
// connections of its own, another function sees what it sends and what comes back.
func TestChainWithALoadBalancer(t *testing.T) {
	t.Parallel()
	s := startChains(t, 3)
	m := new(manifest).endpoints("client1 web 10.0.0.11", "client2 web 10.0.0.12", "www1 app 10.0.1.11", "www2 app 10.0.1.12", "www3 app 10.0.1.13", "other app 10.0.1.99",
		"fw-in svc 10.0.9.11", "fw-out svc 10.0.9.12", "lb db 10.0.2.80", "ids-in svc", "ids-out svc").
		function("fw", "type: routed, instances: [{in: fw-in, out: fw-out}]").
		function("lb", "type: rewriting, instances: [{in: lb}]").
		function("ids", "type: transparent, instances: [{in: ids-in, out: ids-out}]").
		chain("shop", "functions: [fw, lb], sources: [{network: web}], destinations: [{cidr: 10.0.2.80/32}], protocol: tcp, ports: [\"80\"]")
	s.api.apply(t, m.String())
	client1, client2, other := s.attach("acme/client1", "h1"), s.attach("acme/client2", "h3"), s.attach("acme/other", "h1")
	fw, lb, ids := s.routed("fw", "h2"), s.attach("acme/lb", "h3"), s.transparent("ids", "h1")
	var servers []*lab.WebServer
	var backends []lab.HAProxyBackend
	for i := range 3 {
		name := fmt.Sprintf("www%d", i+1)
		w := s.attach("acme/"+name, fmt.Sprintf("h%d", i+1))
		addr := netip.MustParseAddrPort(fmt.Sprintf("10.0.1.%d:8080", 11+i))
		srv, err := lab.ServeWeb(w, addr, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = srv.Close() })
		servers = append(servers, srv)
		backends = append(backends, lab.HAProxyBackend{Name: name, Addr: addr})
	}
	if err := fw.Guard(lab.Guard{Drop: true, Stateful: true, Rules: []string{"ip daddr 10.0.2.80 tcp dport 80 accept"}}); err != nil {
		t.Fatal(err)
	}
	if err := ids.Guard(lab.Guard{}); err != nil {
		t.Fatal(err)
	}
	s.realized("acme/client1", "acme/client2", "acme/other", "acme/www1", "acme/www2", "acme/www3", "acme/lb", "acme/fw-in", "acme/fw-out", "acme/ids-in", "acme/ids-out")
	s.api.realized(t, chainPath("shop"))
	proxy, err := lb.StartHAProxy(lab.HAProxyConfig{Listen: netip.MustParseAddrPort("10.0.2.80:80"), Backends: backends})
	if err != nil {
		t.Fatal(err)
	}
	allUp := func() error {
		up, err := proxy.Backends(t.Context())
		for _, b := range backends {
			if err == nil && !up[b.Name] {
				err = fmt.Errorf("HAProxy takes %s for dead", b.Name)
			}
		}
		return err
	}
	shop := func(from *node) {
		t.Helper()
		eventually(t, 15*time.Second, allUp)
		seen := map[string]int{}
		for range 12 {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			name, err := lab.AskWeb(ctx, from, netip.MustParseAddrPort("10.0.2.80:80"))
			cancel()
			if err != nil {
				t.Fatalf("%s: %v", from.id, err)
			}
			seen[name]++
		}
		if len(seen) != 3 {
			t.Errorf("%s got answers from %v; all three servers must", from.id, seen)
		}
	}
	in, out := s.counted(fw, "in"), s.counted(fw, "out")
	shop(client1)
	shop(client2)
	if a, b := s.counted(fw, "in")-in, s.counted(fw, "out")-out; a < 24*3 || b < 24*3 {
		t.Errorf("the firewall has seen %d packets to the load balancer and %d from it", a, b)
	}
	for _, srv := range servers {
		for _, c := range srv.Clients() {
			if c.Addr() != netip.MustParseAddr("10.0.2.80") {
				t.Errorf("a server was asked by %s; only the load balancer may", c)
			}
		}
	}

	// The same with a function behind the load balancer.
	s.api.apply(t, new(manifest).chain("shop", "functions: [fw, lb, ids], sources: [{network: web}], destinations: [{cidr: 10.0.2.80/32}], protocol: tcp, ports: [\"80\"]").String())
	s.api.realized(t, chainPath("shop"))
	in, out = s.counted(ids, "in"), s.counted(ids, "out")
	shop(client1)
	shop(client2)
	a, b := s.counted(ids, "in")-in, s.counted(ids, "out")-out
	if a < 24*3 || b < 24*3 {
		t.Errorf("behind the load balancer %d packets to the servers were seen and %d from them", a, b)
	}
	// Others reach the servers as ever, and the load balancer too.
	mustConnectWeb(t, other, "10.0.1.11:8080")
	mustConnectWeb(t, other, "10.0.2.80:80")
}

func mustConnectWeb(t *testing.T, from *node, to string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := lab.AskWeb(ctx, from, netip.MustParseAddrPort(to)); err != nil {
		t.Errorf("%s: %v", from.id, err)
	}
}
