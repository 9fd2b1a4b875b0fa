package integration

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Acceptance 8 of gateways: nothing is lost, connections survive and no flow is
// replaced when the controller is killed and started again.
func TestControllerRestartOutside(t *testing.T) {
	t.Parallel()
	f := startFloats(t)
	m := new(manifest)
	names := []string{"d", "e", "f"}
	for i, name := range names {
		m.endpoint("acme", name, "blue", fmt.Sprintf("10.0.0.%d", 21+i))
	}
	f.api.apply(t, m.String())
	for i, name := range names {
		f.nodes["acme/"+name] = f.attach("acme/"+name, fmt.Sprintf("h%d", i+1))
	}
	f.realized("acme/d", "acme/e", "acme/f")
	far := f.serve(f.server, "tcp", serverAddr, 80)
	near := f.serve(f.near, "tcp", nearAddr, 80)
	pings, open := map[string]*ping5ms{}, map[string]net.Conn{}
	// Every way has a connection; some have pings, as many as a small machine takes.
	begin := func(what string, from lab.Machine, ping netip.Addr, dial netip.AddrPort) {
		open[what] = f.dial(from, dial)
		f.must(echoes(open[what]))
		if ping.IsValid() {
			pings[what] = outsidePinger(t, from, ping)
		}
	}
	never := netip.Addr{}
	for _, id := range []string{"acme/a", "acme/b", "acme/c"} {
		n := f.nodes[id]
		s := f.serve(n, "tcp", n.inside(), 80)
		begin("to the floating IP of "+id, f.server, map[string]netip.Addr{"acme/a": f.addr[id], "acme/b": never, "acme/c": f.addr[id]}[id], netip.AddrPortFrom(f.addr[id], s.Addr().Port()))
		begin("from the floating IP of "+id, n, never, far.Addr())
	}
	for _, name := range names {
		begin("by source NAT from "+name, f.nodes["acme/"+name], map[string]netip.Addr{"d": never, "e": never, "f": serverAddr}[name], far.Addr())
	}
	begin("to a neighbour", f.nodes["acme/f"], never, near.Addr())
	for _, p := range pings {
		p.waitFor(t, 100)
	}
	hosts := []string{"h1", "h2", "h3"}
	before := map[string][]flow{}
	groups := map[string]string{}
	// What was learned of neighbours has reached all hosts and the store.
	for _, h := range hosts {
		before[h] = f.flows(h)
		groups[h] = f.ofctl(h, "-O", "OpenFlow15", "dump-groups", "br-int")
	}
	began := time.Now()
	f.killController()
	for _, p := range pings {
		p.waitFor(t, p.replies()+200)
	}
	for what, c := range open {
		if err := echoes(c); err != nil {
			t.Errorf("%s, without the controller: %v", what, err)
		}
	}
	// New connections need no controller either.
	f.dial(f.nodes["acme/f"], far.Addr())
	f.dial(f.server, netip.AddrPortFrom(f.addr["acme/c"], 80))
	f.startController()
	for _, h := range hosts {
		f.api.realized(t, "/v1/hosts/"+h)
	}
	f.realized("acme/a", "acme/b", "acme/c", "acme/d", "acme/e", "acme/f")
	f.api.realized(t, "/v1/gateways/edge", "/v1/external-networks/internet", "/v1/tenants/acme/routers/core")
	f.realizedFloat("acme/a")
	f.realizedFloat("acme/c")
	for _, p := range pings {
		p.waitFor(t, p.replies()+200)
	}
	for what, p := range pings {
		if sent, lost := p.stop(t); lost > 0 {
			t.Errorf("%s: %d of %d pings were lost", what, lost, sent)
		}
	}
	for what, c := range open {
		if err := echoes(c); err != nil {
			t.Errorf("%s, after the restart: %v", what, err)
		}
	}
	for _, h := range hosts {
		after := f.flows(h)
		sameFlows(t, before[h], after)
		oldest(t, after, time.Since(began))
		if got := f.ofctl(h, "-O", "OpenFlow15", "dump-groups", "br-int"); got != groups[h] {
			t.Errorf("the groups of %s were\n%s\nand are\n%s", h, groups[h], got)
		}
	}
	if sent := f.api.metric(t, "dovetail_openflow_flow_mods_total"); sent != 0 {
		t.Errorf("the controller sent %g flow-mods after its restart", sent)
	}
}
