package ovsdb

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/internal/ovstest"
)

// reflection is what a gateway host does with the packets of the sessions that watch it.
const reflection = "table=0,priority=100,in_port=1,tun_id=0,udp,tp_dst=3784," +
	"actions=set_field:16777215->tun_id,move:NXM_NX_TUN_IPV4_SRC[]->NXM_NX_TUN_IPV4_DST[],IN_PORT"

// underlayHosts are h1 (192.0.2.1) and h2 (192.0.2.2), whose switches reach each
// other by a socket between two interfaces.
func underlayHosts(t *testing.T, c *controllerProcess) (h1, h2 *ovstest.Host) {
	t.Helper()
	hosts := []*ovstest.Host{ovstest.Start(t), ovstest.Start(t)}
	stream := fmt.Sprintf("unix:%s/underlay.sock", hosts[0].Dir)
	for i, h := range hosts {
		h.StartSwitch()
		wire := "options:pstream=p" + stream
		if i > 0 {
			wire = "options:stream=" + stream
		}
		h.Vsctl("add-br", "br-ex", "--", "set", "bridge", "br-ex", "datapath_type=netdev",
			fmt.Sprintf("other_config:hwaddr=02:00:00:00:00:%02x", i+1),
			"--", "add-port", "br-ex", "ul", "--", "set", "interface", "ul", "type=dummy", wire)
		waitVsctl(t, h, "1", "get", "interface", "ul", "ofport")
		addressVTEP(h, i)
		h.Vsctl("set", "open_vswitch", ".", fmt.Sprintf("external_ids:system-id=h%d", i+1),
			fmt.Sprintf("external_ids:dovetail-encap-ip=192.0.2.%d", i+1), "external_ids:dovetail-datapath-type=netdev")
		h.Vsctl("set-manager", "tcp:"+c.addr)
	}
	return hosts[0], hosts[1]
}

// addressVTEP tells a switch what it would learn from the kernel: the address of
// its end of the underlay, the route, and who is at the other end.
func addressVTEP(h *ovstest.Host, i int) {
	h.Appctl("netdev-dummy/ip4addr", "br-ex", fmt.Sprintf("192.0.2.%d/24", i+1))
	h.Appctl("ovs/route/add", "192.0.2.0/24", "br-ex")
	h.Appctl("tnl/neigh/set", "br-ex", fmt.Sprintf("192.0.2.%d", 2-i), fmt.Sprintf("02:00:00:00:00:%02x", 2-i))
}

func withLinks(rec *recorder, links map[string]Links) {
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

// TestLinksSayWhoForwards: a link is up while the host at its other end forwards by
// its flows, not merely while its switch runs.
func TestLinksSayWhoForwards(t *testing.T) {
	c := startController(t, Config{}, nil)
	withLinks(c.recorder, map[string]Links{"h1": {Tunnels: []Tunnel{
		{ID: 7, Remote: netip.MustParseAddr("192.0.2.2")}, {ID: 3, Remote: netip.MustParseAddr("192.0.2.3")},
	}}})
	h1, h2 := underlayHosts(t, c)
	c.untilCalls(t, 1, "ready h2")
	dead := LinkState{ID: 3, Known: true}
	c.untilLinks(t, "h2")
	c.untilLinks(t, "h1", dead, LinkState{ID: 7, Known: true})
	if got := h1.Vsctl("get", "interface", "dv-l7", "ofport", "bfd_status:state"); got != "50007\ndown" {
		t.Errorf("port and state are %q", got)
	}
	h2.Ofctl("add-flow", "br-int", reflection)
	c.untilLinks(t, "h1", dead, LinkState{ID: 7, Up: true, Known: true})
	began := time.Now()
	h2.Ofctl("del-flows", "br-int")
	c.untilLinks(t, "h1", dead, LinkState{ID: 7, Known: true})
	t.Logf("down %s after its flow went", time.Since(began))
	h2.Ofctl("add-flow", "br-int", reflection)
	c.untilLinks(t, "h1", dead, LinkState{ID: 7, Up: true, Known: true})
	began = time.Now()
	h2.StopSwitch()
	c.untilLinks(t, "h1", dead, LinkState{ID: 7, Known: true})
	t.Logf("down %s after its switch was killed", time.Since(began))

	// A switch that is back and has no flows is as good as dead.
	h2.StartSwitch()
	waitVsctl(t, h2, "1", "get", "interface", "dv-vxlan0", "ofport")
	addressVTEP(h2, 1)
	if state := h1.Vsctl("get", "interface", "dv-l7", "bfd_status:forwarding"); unquoted(state) != "false" {
		t.Errorf("forwarding=%s without flows", state)
	}
	h2.Ofctl("add-flow", "br-int", reflection)
	c.untilLinks(t, "h1", dead, LinkState{ID: 7, Up: true, Known: true})
	if n := c.count("repaired"); n != 0 || c.problem["h1"] != "" {
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
	for n := range 2 * correctionBurst {
		remote := fmt.Sprintf("192.0.2.%d", n+10)
		c.srv.SetLinks("h1", Links{Tunnels: []Tunnel{{ID: 10000, Remote: netip.MustParseAddr(remote)}, {ID: 2, Remote: netip.MustParseAddr("192.0.2.2")}}})
		waitVsctl(t, h, remote, "--if-exists", "get", "interface", "dv-l10000", "options:remote_ip")
	}
	c.untilLinks(t, "h1", LinkState{ID: 2, Known: true}, LinkState{ID: 10000, Known: true})
	for _, q := range [][2]string{
		{"list-ports br-int", "dv-l10000\ndv-l2\ndv-vxlan0"},
		{"get interface dv-l10000 ofport", "60000"},
		{"get interface dv-l2 ofport", "50002"},
		{"get interface dv-l2 options", "{in_key=16777215, local_ip=192.0.2.1, out_key=0, remote_ip=192.0.2.2}"},
		{"get interface dv-l2 bfd", "{enable=true, min_rx=50, min_tx=50}"},
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
