package integration

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// Acceptance 8 of gateways: nothing is lost, connections survive and no flow is
// replaced when the controller is killed and started again.
//
// It runs alone, since hosts without a processor for 150 ms are dead to each other.
func TestControllerRestartOutside(t *testing.T) {
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
	open, pinged := map[string]net.Conn{}, map[string]pingWay{}
	// Every way has a connection; some have pings, as many as a small machine takes.
	begin := func(what string, from lab.Machine, ping netip.Addr, dial netip.AddrPort) {
		open[what] = f.dial(from, dial)
		f.must(echoes(open[what]))
		if ping.IsValid() {
			pinged[what] = pingWay{from, ping}
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
	for _, way := range pinged {
		f.must(f.tryPing(way.from, way.to))
	}
	hosts := []string{"h1", "h2", "h3"}
	before := map[string][]flow{}
	groups := map[string]string{}
	// What was learned of neighbours has reached all hosts and the store.
	for _, h := range hosts {
		before[h] = f.flows(h)
		groups[h] = f.ofctl(h, "-O", "OpenFlow15", "dump-groups", "br-int")
	}
	eventually(t, 10*time.Second, func() error {
		if n := f.api.metric(t, "dovetail_neighbour_tables_unstored"); n != 0 {
			return fmt.Errorf("the neighbours of %g external networks are not stored", n)
		}
		return nil
	})
	began := time.Now()
	for try := 1; ; try++ {
		flaps := f.flaps()
		lost := f.restart(t, pinged, open, far)
		flaps = f.flaps() - flaps
		// What is lost while hosts take each other for dead is not the controller's doing.
		if lost == 0 || flaps == 0 || try == 5 {
			if lost > 0 {
				t.Errorf("%d pings were lost, and hosts were taken for dead %d times", lost, flaps)
			}
			break
		}
		t.Logf("again: hosts were taken for dead %d times", flaps)
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

type pingWay struct {
	from lab.Machine
	to   netip.Addr
}

// restart kills the controller under pings and starts it again, and returns how many
// were lost.
func (f *floats) restart(t *testing.T, pinged map[string]pingWay, open map[string]net.Conn, far *lab.Server) (lost int) {
	t.Helper()
	pings := map[string]*ping5ms{}
	for what, way := range pinged {
		pings[what] = outsidePinger(t, way.from, way.to)
	}
	for _, p := range pings {
		p.waitFor(t, 100)
	}
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
	for _, h := range f.lab.Hosts() {
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
		_, n := p.stop(t)
		if n > 0 {
			t.Logf("%s: %d lost", what, n)
		}
		lost += n
	}
	return lost
}

var flapCount = regexp.MustCompile(`flap_count="?([0-9]+)`)

// flaps is how often hosts have found a gateway host dead or alive (ovs-vswitchd.conf.db(5)).
func (e *edge) flaps() int {
	e.t.Helper()
	sum := 0
	for _, h := range e.lab.Hosts() {
		for _, m := range flapCount.FindAllStringSubmatch(e.vsctl(h, "--columns=bfd_status", "find", "interface", "type=vxlan"), -1) {
			n, err := strconv.Atoi(m[1])
			e.must(err)
			sum += n
		}
	}
	return sum
}
