package ovsdb

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
	"github.com/dovetail-sdn/dovetail/internal/ovstest"
)

func withLinks(rec *recorder, links map[string]Links) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	before := rec.assign
	rec.assign = func(info HostInfo) (Assignment, error) {
		a, err := before(info)
		a.Links = links[info.SystemID]
		return a, err
	}
}

func tunnelsTo(remotes ...string) (list []Tunnel) {
	for i, r := range remotes {
		list = append(list, Tunnel{ID: uint32(i + 1), Remote: netip.MustParseAddr(r)})
	}
	return list
}

func (r *recorder) untilLinks(t testing.TB, host string, want ...LinkState) {
	t.Helper()
	r.until(t, fmt.Sprintf("links %v", want), func() bool {
		got, told := r.links[host]
		return told && slices.Equal(got, want)
	})
}

// reflection is what a gateway host does with the packets of the sessions that
// watch it.
const reflection = "table=0,priority=100,in_port=1,tun_id=0,udp,tp_dst=3784," +
	"actions=set_field:16777211->tun_id,move:NXM_NX_TUN_IPV4_SRC[]->NXM_NX_TUN_IPV4_DST[],IN_PORT"

// labHosts are hosts of a lab, which forward packets to each other, with a
// controller that gives them links.
func labHosts(t *testing.T, n int, links func(*lab.Lab) map[string]Links) (*controllerProcess, []*lab.Host) {
	t.Helper()
	nowhere := "tcp:127.0.0.1:1" // until the controller has the lab's address
	name := fmt.Sprintf("lk%d", os.Getpid()%100_000)
	l, err := lab.Up(t.Context(), lab.Config{Name: name, Hosts: n, Owner: os.Getpid(), Manager: nowhere})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Down(name); err != nil {
			t.Error(err)
		}
	})
	c := startControllerAt(t, l.Controller.String()+":0", Config{}, nil)
	withLinks(c.recorder, links(l))
	var hosts []*lab.Host
	for _, name := range l.Hosts() {
		hosts = append(hosts, l.Host(name))
		labRun(t, l.Host(name).Vsctl, "set-manager", "tcp:"+c.addr)
	}
	return c, hosts
}

func labRun(t *testing.T, f func(...string) (string, error), args ...string) string {
	t.Helper()
	out, err := f(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLinksSayWhoForwards: a link is up while the host at its other end forwards by
// its flows, not merely while its switch runs.
func TestLinksSayWhoForwards(t *testing.T) {
	c, hosts := labHosts(t, 2, func(l *lab.Lab) map[string]Links {
		nobody := l.Host("h2").VTEP().Next()
		return map[string]Links{"h1": {Tunnels: []Tunnel{{ID: 7, Remote: l.Host("h2").VTEP()}, {ID: 3, Remote: nobody}}}}
	})
	near, far := hosts[0], hosts[1]
	c.untilCalls(t, 1, "ready h2")
	untilUp := func(up bool) {
		t.Helper()
		began := time.Now()
		c.untilLinks(t, "h1", LinkState{ID: 3, Known: true}, LinkState{ID: 7, Up: up, Known: true})
		t.Logf("up=%t after %s", up, time.Since(began))
		for up && !strings.Contains(labRun(t, near.Appctl, "bfd/show", "dv-l7"), "RX Interval: Approx 50ms") {
			if time.Since(began) > testPatience {
				t.Fatal("the session stays slow")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	c.untilLinks(t, "h2")
	untilUp(false)
	if got := unquoted(labRun(t, near.Vsctl, "get", "interface", "dv-l7", "ofport", "bfd_status:state")); got != "50007\ndown" {
		t.Errorf("port and state are %q", got)
	}
	labRun(t, far.Ofctl, "add-flow", "br-int", reflection)
	untilUp(true)
	labRun(t, far.Ofctl, "del-flows", "br-int")
	untilUp(false)
	labRun(t, far.Ofctl, "add-flow", "br-int", reflection)
	untilUp(true)
	if err := far.KillSwitch(); err != nil {
		t.Fatal(err)
	}
	untilUp(false)

	// A switch that is back and has no flows is as good as dead.
	if err := far.RestartSwitch(); err != nil {
		t.Fatal(err)
	}
	labRun(t, far.Vsctl, "--timeout=20", "wait-until", "interface", "dv-vxlan0", "ofport=1")
	if state := labRun(t, near.Vsctl, "get", "interface", "dv-l7", "bfd_status:forwarding"); unquoted(state) != "false" {
		t.Errorf("forwarding=%s without flows", state)
	}
	labRun(t, far.Ofctl, "add-flow", "br-int", reflection)
	untilUp(true)
	if n := c.count("repaired"); n != 0 || c.problem["h1"] != "" {
		t.Error(c.dump())
	}
}

// TestLinksSwapAddresses: a switch refuses a tunnel to an address that another one
// still has, even if that one goes in the same transaction, and does not try again by
// itself. What stays impossible is told.
func TestLinksSwapAddresses(t *testing.T) {
	a, b, inet6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1")
	c, hosts := labHosts(t, 1, func(*lab.Lab) map[string]Links {
		return map[string]Links{"h1": {Tunnels: []Tunnel{{ID: 1, Remote: a}, {ID: 2, Remote: b}}}}
	})
	c.untilLinks(t, "h1", LinkState{ID: 1, Known: true}, LinkState{ID: 2, Known: true})
	c.srv.SetLinks("h1", Links{Tunnels: []Tunnel{{ID: 1, Remote: b}, {ID: 3, Remote: a}}})
	c.untilLinks(t, "h1", LinkState{ID: 1, Known: true}, LinkState{ID: 3, Known: true})
	if got := labRun(t, hosts[0].Vsctl, "get", "interface", "dv-l1", "options:remote_ip"); unquoted(got) != b.String() {
		t.Errorf("link 1 leads to %s", got)
	}
	if c.count("problem") != 0 {
		t.Error(c.dump())
	}
	c.srv.SetLinks("h1", Links{Tunnels: []Tunnel{{ID: 1, Remote: b}, {ID: 3, Remote: a}, {ID: 4, Remote: inet6}}})
	c.untilProblem(t, "h1", "the switch cannot add the port dv-l4: dv-l4: 'remote_ip' and 'local_ip' has to be of the same address family")
	c.srv.SetLinks("h1", Links{Tunnels: []Tunnel{{ID: 1, Remote: a}, {ID: 2, Remote: b}}})
	c.untilLinks(t, "h1", LinkState{ID: 1, Known: true}, LinkState{ID: 2, Known: true})
	c.untilProblem(t, "h1", "")
	if c.count("ready") != 1 {
		t.Error(c.dump())
	}
}

var packetCount = regexp.MustCompile(`n_packets=(\d+)`)

func packets(t *testing.T, h *ovstest.Host, match string) int {
	t.Helper()
	m := packetCount.FindStringSubmatch(h.Ofctl("dump-flows", "br-int", match))
	if m == nil {
		t.Fatalf("no flow %s", match)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTick(t *testing.T) {
	c := startController(t, Config{}, nil)
	withLinks(c.recorder, map[string]Links{"h1": {Tick: true}})
	h := joinHost(t, c, "external_ids:dovetail-datapath-type=netdev")
	c.untilCalls(t, 1, "ready h1")
	c.untilLinks(t, "h1")
	waitVsctl(t, h, "63001", "get", "interface", "dv-tick0", "ofport")
	waitVsctl(t, h, "63000", "get", "interface", "dv-tick1", "ofport")
	h.Ofctl("add-flow", "br-int", "table=0,priority=100,in_port=63000,dl_type=0x8902,actions=drop")
	began := time.Now()
	for packets(t, h, "in_port=63000") < 20 {
		if time.Since(began) > testPatience {
			t.Fatalf("%d frames came", packets(t, h, "in_port=63000"))
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("20 frames in %s", time.Since(began))
	// CFM that was turned off is turned on again, and nothing comes once it is unwanted.
	h.Vsctl("clear", "interface", "dv-tick0", "cfm_mpid")
	c.untilCalls(t, 1, "repaired h1 cfm_mpid of interface dv-tick0 was 0")
	h.Vsctl("clear", "interface", "dv-tick0", "other_config")
	c.untilCalls(t, 1, "repaired h1 other_config of interface dv-tick0 were {}")
	c.srv.SetLinks("h1", Links{})
	waitVsctl(t, h, "dv-vxlan0", "list-ports", "br-int")
	if n := c.count("repaired"); n != 2 || c.problem["h1"] != "" {
		t.Error(c.dump())
	}
}

// TestSetLinks: links follow the controller as often as it likes, which is neither
// a repair nor a fight.
func TestSetLinks(t *testing.T) {
	c := startController(t, Config{}, func(s *Server) { s.limits.correctionEvery = time.Hour })
	c.srv.SetLinks("h1", Links{Tick: true}) // no session: nothing
	h := joinHost(t, c, "external_ids:dovetail-datapath-type=netdev")
	c.untilLinks(t, "h1")
	c.untilCalls(t, 1, "ready h1")
	if calls := c.dump(); strings.Index(calls, "links h1") < strings.Index(calls, "ready h1") {
		t.Errorf("links before the host was ready:\n%s", calls)
	}
	for n := range 2 * correctionBurst {
		remote := fmt.Sprintf("192.0.2.%d", n+10)
		c.srv.SetLinks("h1", Links{Tunnels: []Tunnel{{ID: 10000, Remote: netip.MustParseAddr(remote)}, {ID: 2, Remote: netip.MustParseAddr("192.0.2.2"), Patient: true, Mutual: true}}})
		waitVsctl(t, h, remote, "--if-exists", "get", "interface", "dv-l10000", "options:remote_ip")
	}
	c.untilLinks(t, "h1", LinkState{ID: 2, Known: true}, LinkState{ID: 10000, Known: true})
	for _, q := range [][2]string{
		{"list-ports br-int", "dv-l10000\ndv-l2\ndv-p2\ndv-s2\ndv-vxlan0"},
		{"get interface dv-l10000 ofport", "60000"},
		{"get interface dv-l2 ofport", "50002"},
		{"get interface dv-l2 options", "{in_key=16777211, local_ip=192.0.2.1, out_key=0, remote_ip=192.0.2.2}"},
		{"get interface dv-p2 ofport", "30002"},
		{"get interface dv-p2 options", "{in_key=16777213, local_ip=192.0.2.1, out_key=16777212, remote_ip=192.0.2.2}"},
		{"get interface dv-p2 bfd", "{enable=true, min_rx=50, min_tx=50}"},
		{"get interface dv-s2 ofport", "40002"},
		{"get interface dv-s2 options", "{in_key=16777215, local_ip=192.0.2.1, out_key=16777214, remote_ip=192.0.2.2}"},
		{"get interface dv-s2 bfd", "{enable=true, min_rx=50, min_tx=50}"},
		{"get interface dv-l10000 bfd", "{enable=true, min_rx=50, min_tx=50}"},
		{"get interface dv-l2 bfd", "{enable=true, min_rx=50, min_tx=50, mult=5}"},
	} {
		if got := unquoted(h.Vsctl(strings.Fields(q[0])...)); got != q[1] {
			t.Errorf("ovs-vsctl %s = %s, want %s", q[0], got, q[1])
		}
	}
	c.srv.SetLinks("h1", Links{Tunnels: tunnelsTo("192.0.2.5", "192.0.2.2"), Tick: true})
	c.untilLinks(t, "h1", LinkState{ID: 1, Known: true}, LinkState{ID: 2, Known: true})
	waitVsctl(t, h, "dv-l1\ndv-l2\ndv-tick0\ndv-tick1\ndv-vxlan0", "list-ports", "br-int")
	if n := c.count("repaired"); n != 0 || c.problem["h1"] != "" {
		t.Error(c.dump())
	}
	h.Vsctl("set", "interface", "dv-l1", "bfd:enable=false")
	c.untilCalls(t, 1, "repaired h1 bfd of interface dv-l1 were {enable=false,min_rx=50,min_tx=50}")
	h.Vsctl("del-port", "dv-l2")
	c.untilCalls(t, 1, "repaired h1 port dv-l2 was missing")
	c.srv.SetLinks("h1", Links{})
	c.untilLinks(t, "h1")
	waitVsctl(t, h, "dv-vxlan0", "list-ports", "br-int")
}

// TestNewestLinksWin: what SetLinks says while HostSeen is being answered is newer
// than the answer.
func TestNewestLinksWin(t *testing.T) {
	c := startController(t, Config{}, nil)
	before := c.assign
	c.assign = func(info HostInfo) (Assignment, error) {
		a, err := before(info)
		a.Links = Links{Tunnels: tunnelsTo("192.0.2.2")}
		if info.Hostname == "" {
			c.srv.SetLinks("h1", Links{Tunnels: tunnelsTo("192.0.2.2", "192.0.2.3")})
		}
		return a, err
	}
	h := joinHost(t, c)
	waitVsctl(t, h, "dv-l1\ndv-l2\ndv-vxlan0", "list-ports", "br-int")
	c.untilLinks(t, "h1", LinkState{ID: 1, Known: true}, LinkState{ID: 2, Known: true})
	// The answer to a later HostSeen is newer again.
	h.Vsctl("set", "open_vswitch", ".", "external_ids:hostname=web")
	waitVsctl(t, h, "dv-l1\ndv-vxlan0", "list-ports", "br-int")
	c.untilLinks(t, "h1", LinkState{ID: 1, Known: true})
	if c.count("repaired") != 0 {
		t.Error(c.dump())
	}
}

// TestUnusableLinks: what cannot be made is told, and keeps nothing else from being.
func TestUnusableLinks(t *testing.T) {
	c := startController(t, Config{}, nil)
	here := netip.MustParseAddr("192.0.2.2")
	withLinks(c.recorder, map[string]Links{"h1": {Tunnels: []Tunnel{{ID: 5, Remote: here}, {ID: 5, Remote: here.Next()}, {ID: 10001, Remote: here}, {ID: 4}}}})
	h := joinHost(t, c)
	c.untilCalls(t, 1, "ready h1")
	for _, want := range []string{"number 5 to 192.0.2.3: the number is taken", "number 10001 to", "number 4 to invalid IP: it has no address"} {
		c.untilProblem(t, "h1", want)
	}
	waitVsctl(t, h, "dv-l5\ndv-vxlan0", "list-ports", "br-int")
}
