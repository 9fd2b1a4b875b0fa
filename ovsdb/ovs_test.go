package ovsdb

import (
	"context"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sdn/dovetail/internal/ovstest"
)

// statusColumns are those that a switch and a server change by themselves.
var statusColumns = []string{
	"Interface.statistics", "Interface.status", "Controller.status", "Controller.is_connected", "Controller.role",
	"Manager.status", "Manager.is_connected", "Bridge.status", "Open_vSwitch.statistics", "Open_vSwitch.next_cfg",
	"Open_vSwitch.cur_cfg",
}

// joinHost starts a host that knows no more than an operator tells it.
func joinHost(t *testing.T, c *controllerProcess, ids ...string) *ovstest.Host {
	t.Helper()
	h := ovstest.Start(t)
	h.StartSwitch()
	h.Vsctl(append([]string{
		"set", "open_vswitch", ".", "external_ids:system-id=h1", "external_ids:dovetail-encap-ip=192.0.2.1",
	}, ids...)...)
	h.Vsctl("set-manager", "tcp:"+c.addr)
	return h
}

func TestProvisionFromNothing(t *testing.T) {
	c := startController(t, Config{}, nil)
	h := joinHost(t, c, "external_ids:hostname=web", "external_ids:dovetail-datapath-type=netdev")
	c.untilCalls(t, 1, "ready h1")

	for _, q := range []struct {
		args []string
		want string
	}{
		{[]string{"get", "bridge", "br-int", "fail_mode"}, "secure"},
		{[]string{"get", "bridge", "br-int", "datapath_type"}, "netdev"},
		{[]string{"get", "bridge", "br-int", "datapath_id"}, "d0fe00000000002a"},
		{[]string{"get", "bridge", "br-int", "other_config:disable-in-band"}, "true"},
		{[]string{"get", "bridge", "br-int", "external_ids"}, "{dovetail-owner=dovetail}"},
		{[]string{"get-controller", "br-int"}, "tcp:127.0.0.1:1"},
		{[]string{"get", "controller", "br-int", "max_backoff", "inactivity_probe", "external_ids"}, "1000\n5000\n{dovetail-owner=dovetail}"},
		{[]string{"get", "interface", "dv-vxlan0", "type", "ofport", "options"}, `vxlan` + "\n1\n" +
			`{key=flow, local_ip=192.0.2.1, remote_ip=flow}`},
		{[]string{"get", "port", "dv-vxlan0", "external_ids"}, "{dovetail-owner=dovetail}"},
		{[]string{"list-ports", "br-int"}, "dv-vxlan0"},
		{[]string{"get-manager"}, "tcp:" + c.addr},
	} {
		if got := unquoted(h.Vsctl(q.args...)); got != q.want {
			t.Errorf("ovs-vsctl %s = %s, want %s", strings.Join(q.args, " "), got, q.want)
		}
	}
	// Plain ovs-ofctl works, and so does OpenFlow 1.3.
	h.Ofctl("dump-flows", "br-int")
	h.Ofctl("-O", "OpenFlow13", "dump-flows", "br-int")

	info := c.infos["h1"]
	info.Remote, info.Local, info.Version = nil, nil, ""
	want := HostInfo{SystemID: "h1", Hostname: "web", EncapIP: netip.MustParseAddr("192.0.2.1"), DatapathType: "netdev"}
	if d := cmp.Diff(want, info, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Error(d)
	}
	if n := c.count("repaired"); n != 0 {
		t.Errorf("%d repairs while provisioning:\n%s", n, c.dump())
	}
}

func TestSecondStartWritesNothing(t *testing.T) {
	c := startController(t, Config{}, nil)
	h := joinHost(t, c, "external_ids:dovetail-bridge-mappings=ext:br-ex")
	h.Vsctl("add-br", "br-ex")
	c.until(t, "no problem", func() bool { return c.countLocked("ready h1") > 0 && c.problem["h1"] == "" })
	h.Vsctl("add-port", "br-int", "vm1", "--", "set", "interface", "vm1", "type=dummy", "external_ids:iface-id=t1-web")
	c.until(t, "the port", func() bool { return len(c.ports["h1"]) == 1 && c.ports["h1"][0].OFPort > 0 })
	c.stop()
	before := h.Dump(statusColumns...)

	var transactions counter
	again := startControllerAt(t, c.addr, Config{}, func(s *Server) { s.onTransact = transactions.add })
	again.until(t, "ready and ports", func() bool {
		return again.countLocked("ready h1") == 1 && len(again.ports["h1"]) == 1
	})
	again.stop()
	if d := cmp.Diff(before, h.Dump(statusColumns...)); d != "" {
		t.Errorf("a second start changed rows: %s", d)
	}
	if n := transactions.load(); n != 0 {
		t.Errorf("a second start sent %d transactions", n)
	}
}

func TestForeignRowsSurvive(t *testing.T) {
	c := startController(t, Config{}, nil)
	h := ovstest.Start(t)
	h.StartSwitch()
	h.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "external_ids:mine=1", "other_config:mac-aging-time=60",
		"--", "add-br", "br-ex", "--", "set-controller", "br-ex", "tcp:127.0.0.1:2",
		"--", "add-port", "br-int", "dv-foreign", "--", "set", "interface", "dv-foreign", "type=dummy",
		"--", "add-port", "br-ex", "p1", "--", "set", "interface", "p1", "type=dummy", "mtu_request=1400")
	h.Vsctl("set", "open_vswitch", ".", "external_ids:system-id=h1", "external_ids:dovetail-encap-ip=192.0.2.1",
		"external_ids:dovetail-bridge-mappings=ext:br-ex", "external_ids:other=x")
	h.Vsctl("set-manager", "ptcp:0:127.0.0.1", "tcp:"+c.addr)
	c.untilCalls(t, 1, "ready h1")
	here, there := PatchPorts("ext", "br-ex")
	for _, q := range [][2]string{
		{"get bridge br-int external_ids:mine", "1"},
		{"get bridge br-int other_config:mac-aging-time", "60"},
		{"get-controller br-ex", "tcp:127.0.0.1:2"},
		{"port-to-br dv-foreign", "br-int"},
		{"port-to-br p1", "br-ex"},
		{"port-to-br " + here, "br-int"},
		{"port-to-br " + there, "br-ex"},
		{"get interface " + here + " options:peer", there},
		{"get port " + there + " external_ids:dovetail-physnet", "ext"},
		{"get open_vswitch . external_ids:other", "x"},
		{"get-manager", "ptcp:0:127.0.0.1\ntcp:" + c.addr},
	} {
		if got := unquoted(h.Vsctl(strings.Fields(q[0])...)); got != q[1] {
			t.Errorf("ovs-vsctl %s = %s, want %s", q[0], got, q[1])
		}
	}
	// Mapping withdrawn: ours go, and only ours.
	h.Vsctl("remove", "open_vswitch", ".", "external_ids", "dovetail-bridge-mappings")
	c.untilCalls(t, 2, "seen h1")
	waitVsctl(t, h, "dv-foreign\ndv-vxlan0", "list-ports", "br-int")
	waitVsctl(t, h, "p1", "list-ports", "br-ex")
	if c.count("repaired") != 0 {
		t.Error(c.dump())
	}
}

func TestRepairs(t *testing.T) {
	c := startController(t, Config{}, func(s *Server) { s.limits.correctionEvery = time.Millisecond })
	h := joinHost(t, c)
	c.untilCalls(t, 1, "ready h1")
	for _, tt := range []struct{ name, args, want string }{
		{"bridge", "del-br br-int", "bridge br-int was missing"},
		{"tunnel", "del-port dv-vxlan0", "port dv-vxlan0 was missing"},
		{"target", "set controller br-int target=\"tcp:127.0.0.1:3\"", `controller of bridge br-int was "tcp:127.0.0.1:3"`},
		{"controller", "del-controller br-int", "controller of bridge br-int was missing"},
		{"fail_mode", "del-fail-mode br-int", `fail_mode of bridge br-int was ""`},
		{"datapath id", "set bridge br-int other_config:datapath-id=0000000000000001", `other_config:datapath-id of bridge br-int was "0000000000000001"`},
		{"options", "set interface dv-vxlan0 options:key=7", "options of interface dv-vxlan0 were {key=7,local_ip=192.0.2.1,remote_ip=flow}"},
		{"type", "set interface dv-vxlan0 type=geneve", `type of interface dv-vxlan0 was "geneve"`},
		{"ofport", "set interface dv-vxlan0 ofport_request=9", "ofport_request of interface dv-vxlan0 was 9"},
		{"protocols", "set bridge br-int protocols=OpenFlow10", `protocols of bridge br-int were ["OpenFlow10"]`},
		{"datapath type", "set bridge br-int datapath_type=netdev", `datapath_type of bridge br-int was "netdev"`},
		{"probe", "set controller br-int inactivity_probe=0", "timers of the controller of bridge br-int were changed"},
		{"local port", "--if-exists del-port br-int br-int", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := c.count("repaired h1 " + tt.want)
			h.Vsctl(strings.Fields(tt.args)...)
			if tt.want != "" {
				c.untilCalls(t, n+1, "repaired h1 "+tt.want)
			}
			waitVsctl(t, h, "1", "--if-exists", "get", "interface", "dv-vxlan0", "ofport")
			waitVsctl(t, h, "d0fe00000000002a", "--if-exists", "get", "bridge", "br-int", "datapath_id")
			waitVsctl(t, h, "br-int", "list-br")
			waitVsctl(t, h, "tcp:127.0.0.1:1", "get-controller", "br-int")
		})
	}
}

func TestPorts(t *testing.T) {
	c := startController(t, Config{}, nil)
	h := joinHost(t, c)
	c.untilCalls(t, 1, "ready h1")
	c.untilCalls(t, 1, "ports h1 0")
	h.Vsctl("add-port", "br-int", "vm2", "--", "set", "interface", "vm2", "type=dummy", "external_ids:iface-id=web2",
		"external_ids:attached-mac=02:00:00:00:00:02", "ofport_request=22",
		"--", "add-port", "br-int", "vm1", "--", "set", "interface", "vm1", "type=dummy", "external_ids:iface-id=web1", "ofport_request=21",
		"--", "add-port", "br-int", "plain", "--", "set", "interface", "plain", "type=dummy",
		"--", "add-br", "br2", "--", "add-port", "br2", "vm3", "--", "set", "interface", "vm3", "type=dummy", "external_ids:iface-id=web3")
	want := []Port{
		{Name: "vm1", InterfaceID: "web1", OFPort: 21, LinkUp: true},
		{Name: "vm2", InterfaceID: "web2", AttachedMAC: "02:00:00:00:00:02", OFPort: 22, LinkUp: true},
	}
	c.until(t, "both ports", func() bool { return cmp.Equal(c.ports["h1"], want) })
	h.Vsctl("set", "interface", "vm1", "external_ids:iface-id=web9")
	want[0].InterfaceID = "web9"
	c.until(t, "the new id", func() bool { return cmp.Equal(c.ports["h1"], want) })
	h.Vsctl("del-port", "vm1")
	c.until(t, "one port", func() bool { return cmp.Equal(c.ports["h1"], want[1:]) })
	h.Vsctl("add-port", "br-int", "nodev", "--", "set", "interface", "nodev", "type=nosuch", "external_ids:iface-id=web4")
	c.until(t, "the broken port", func() bool {
		return len(c.ports["h1"]) == 2 && c.ports["h1"][0].OFPort == 0 && c.ports["h1"][0].Error != ""
	})
	if n := c.count("repaired"); n != 0 {
		t.Error(c.dump())
	}
}

func TestProblems(t *testing.T) {
	c := startController(t, Config{}, func(s *Server) { s.limits.build = 200 * time.Millisecond })
	problem := func(want string) {
		t.Helper()
		c.until(t, "problem "+want, func() bool {
			p := c.problem["h1"]
			return want == "" && p == "" || want != "" && strings.Contains(p, want)
		})
	}
	h := ovstest.Start(t)
	h.Vsctl("set", "open_vswitch", ".", "external_ids:system-id=h1")
	h.Vsctl("set-manager", "tcp:"+c.addr)
	problem("ovs-vsctl set open_vswitch . external_ids:dovetail-encap-ip=ADDRESS")
	h.Vsctl("set", "open_vswitch", ".", "external_ids:dovetail-encap-ip=192.0.2.1")
	problem("check that ovs-vswitchd runs")
	if !c.infos["h1"].EncapIP.IsValid() {
		t.Error("HostSeen was not called with the address")
	}
	h.StartSwitch()
	problem("")
	c.untilCalls(t, 1, "ready h1")

	h.Vsctl("set", "open_vswitch", ".", "external_ids:dovetail-bridge-mappings=ext:br-ex,bad")
	problem("ovs-vsctl add-br br-ex")
	problem(`["bad"]`)
	h.Vsctl("add-br", "br-ex")
	h.Vsctl("set", "open_vswitch", ".", "external_ids:dovetail-bridge-mappings=ext:br-ex")
	problem("")
	h.Vsctl("--", "--id=@c", "create", "controller", "target=\"tcp:127.0.0.1:9\"", "--", "add", "bridge", "br-int", "controller", "@c")
	problem("also has the controller")
}

func TestOFPortTaken(t *testing.T) {
	c := startController(t, Config{}, nil)
	h := ovstest.Start(t)
	h.StartSwitch()
	h.Vsctl("add-br", "br-int", "--", "add-port", "br-int", "squat", "--", "set", "interface", "squat", "type=dummy", "ofport_request=1")
	waitVsctl(t, h, "1", "get", "interface", "squat", "ofport")
	h.Vsctl("set", "open_vswitch", ".", "external_ids:system-id=h1", "external_ids:dovetail-encap-ip=192.0.2.1")
	h.Vsctl("set-manager", "tcp:"+c.addr)
	c.until(t, "the problem", func() bool { return strings.Contains(c.problem["h1"], "is taken by squat") })
	if c.count("ready") != 0 {
		t.Error("ready with another port as the tunnel's")
	}
	h.Vsctl("set", "interface", "squat", "ofport_request=9")
	c.untilCalls(t, 1, "ready h1")
	waitVsctl(t, h, "1", "get", "interface", "dv-vxlan0", "ofport")
}

func TestNotOurBridge(t *testing.T) {
	for _, tt := range []struct{ name, args, want string }{
		{"another controller", "add-br br-int -- set-controller br-int tcp:127.0.0.1:9", "has another controller"},
		{"another owner", "add-br br-int -- set bridge br-int external_ids:dovetail-owner=other", `belongs to "other"`},
		{"ovn", "add-br br-int -- set open_vswitch . external_ids:ovn-remote=tcp:127.0.0.1:9", "OVN uses bridge br-int"},
		{"tunnel", "add-br br2 -- add-port br2 dv-vxlan0", `ovs-vsctl del-port dv-vxlan0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := startController(t, Config{}, nil)
			h := ovstest.Start(t)
			h.Vsctl(strings.Fields(tt.args)...)
			h.Vsctl("set", "open_vswitch", ".", "external_ids:system-id=h1", "external_ids:dovetail-encap-ip=192.0.2.1")
			h.Vsctl("set-manager", "tcp:"+c.addr)
			c.until(t, "the problem", func() bool { return strings.Contains(c.problem["h1"], tt.want) })
			if tt.name != "tunnel" {
				if got := h.Vsctl("get", "bridge", "br-int", "fail_mode"); got != "[]" {
					t.Errorf("fail_mode was set to %s", got)
				}
			}
		})
	}
}

func TestFightIsBounded(t *testing.T) {
	var transactions counter
	c := startController(t, Config{}, func(s *Server) {
		s.onTransact = transactions.add
		s.limits.correctionEvery = time.Hour
	})
	h := joinHost(t, c)
	c.untilCalls(t, 1, "ready h1")
	// Each removal waits for the one before it to be repaired: several in one
	// round of a slow machine would be one correction.
	for n := range correctionBurst - 1 {
		h.Vsctl("del-port", "dv-vxlan0")
		c.untilCalls(t, n+1, "repaired h1 port dv-vxlan0")
	}
	h.Vsctl("del-port", "dv-vxlan0")
	c.until(t, "the problem", func() bool { return strings.Contains(c.problem["h1"], "somebody keeps changing rows") })
	if n := transactions.load(); n > correctionBurst+1 {
		t.Errorf("%d transactions", n)
	}
}

func TestGoneAndBack(t *testing.T) {
	c := startController(t, Config{EchoInterval: 200 * time.Millisecond}, nil)
	h := joinHost(t, c)
	c.untilCalls(t, 1, "ready h1")
	h.SignalDB(syscall.SIGSTOP)
	c.untilCalls(t, 1, "gone h1 "+errSilent.Error())
	h.SignalDB(syscall.SIGCONT)
	c.untilCalls(t, 2, "ready h1")
	h.StopDB()
	c.untilCalls(t, 2, "gone h1")
	h.StartDB()
	c.untilCalls(t, 3, "ready h1")
	if n := c.count("repaired"); n != 0 {
		t.Error(c.dump())
	}
}

func TestDuplicateSystemID(t *testing.T) {
	c := startController(t, Config{EchoInterval: time.Second}, nil)
	h := joinHost(t, c)
	c.untilCalls(t, 1, "ready h1")
	h2 := ovstest.Start(t)
	h2.Vsctl("set", "open_vswitch", ".", "external_ids:system-id=h1", "external_ids:dovetail-encap-ip=192.0.2.2")
	h2.Vsctl("set-manager", "tcp:"+c.addr)
	c.untilCalls(t, 1, "rejected "+errDuplicate.Error())
	if c.count("gone") != 0 || c.count("seen") != 1 {
		t.Error(c.dump())
	}
	if got := h2.Vsctl("list-br"); got != "" {
		t.Errorf("the second host was provisioned: %s", got)
	}
	// The first one vanishes without a word; the second may then be it.
	h.SignalDB(syscall.SIGSTOP)
	c.untilCalls(t, 2, "seen h1")
	if c.infos["h1"].EncapIP != netip.MustParseAddr("192.0.2.2") {
		t.Error("not the second host")
	}
	calls := c.dump()
	if g, s := strings.Index(calls, "gone h1"), strings.LastIndex(calls, "seen h1"); g < 0 || g > s {
		t.Errorf("the old session did not end before the new one began:\n%s", calls)
	}
}

func TestNoSystemID(t *testing.T) {
	c := startController(t, Config{}, nil)
	h := ovstest.Start(t)
	h.Vsctl("set-manager", "tcp:"+c.addr)
	c.untilCalls(t, 1, `rejected external_ids:system-id is not set: run "ovs-vsctl set open_vswitch . external_ids:system-id=NAME"`)
}

func TestDialAndKick(t *testing.T) {
	rec := newRecorder()
	srv := NewServer(Config{Handler: rec})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h := ovstest.Start(t)
	h.StartSwitch()
	h.Vsctl("set", "open_vswitch", ".", "external_ids:system-id=h1", "external_ids:dovetail-encap-ip=192.0.2.1")
	done := make(chan error, 1)
	go func() { done <- srv.Dial(ctx, h.DB) }()
	rec.untilCalls(t, 1, "ready h1")
	srv.Kick("h1", context.Canceled)
	rec.untilCalls(t, 1, "gone h1 closed by the controller")
	rec.untilCalls(t, 2, "ready h1")
	h.StopDB()
	rec.untilCalls(t, 2, "gone h1")
	h.StartDB()
	rec.untilCalls(t, 3, "ready h1")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	rec.untilCalls(t, 3, "gone h1")
	for _, bad := range []string{"", "tcp:1.2.3.4", "ssl:1.2.3.4:6640", "unix:", "udp:1.2.3.4:5"} {
		if err := srv.Dial(context.Background(), bad); err == nil {
			t.Errorf("Dial(%q) gave no error", bad)
		}
	}
}

// unquoted removes the quotes that ovs-vsctl puts around some strings, by what
// characters they happen to have.
func unquoted(s string) string { return strings.ReplaceAll(s, `"`, "") }

// waitVsctl waits until ovs-vsctl prints want.
func waitVsctl(t *testing.T, h *ovstest.Host, want string, args ...string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(testPatience); time.Now().Before(deadline); {
		if got = unquoted(h.Vsctl(args...)); got == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("ovs-vsctl %s = %q, want %q", strings.Join(args, " "), got, want)
}

// TestHostChangesItsMind: new external_ids are a new wish, not a repair.
func TestHostChangesItsMind(t *testing.T) {
	c := startController(t, Config{}, nil)
	h := joinHost(t, c)
	c.untilCalls(t, 1, "ready h1")
	h.Vsctl("set", "open_vswitch", ".", "external_ids:dovetail-encap-ip=2001:db8::7")
	waitVsctl(t, h, "2001:db8::7", "get", "interface", "dv-vxlan0", "options:local_ip")
	c.until(t, "the new address", func() bool { return c.infos["h1"].EncapIP == netip.MustParseAddr("2001:db8::7") })
	// Withdrawn: all stays as it is, and the host is told what is missing.
	h.Vsctl("remove", "open_vswitch", ".", "external_ids", "dovetail-encap-ip")
	c.until(t, "the problem", func() bool { return strings.Contains(c.problem["h1"], "dovetail-encap-ip") })
	waitVsctl(t, h, "2001:db8::7", "get", "interface", "dv-vxlan0", "options:local_ip")
	h.Vsctl("set", "open_vswitch", ".", "external_ids:dovetail-encap-ip=192.0.2.1")
	waitVsctl(t, h, "192.0.2.1", "get", "interface", "dv-vxlan0", "options:local_ip")
	c.until(t, "no problem", func() bool { return c.problem["h1"] == "" })
	h.Vsctl("add-br", "br-ex", "--", "add-port", "br-ex", "eth9", "--", "set", "interface", "eth9", "mtu_request=1400")
	h.Vsctl("set", "open_vswitch", ".", "external_ids:dovetail-underlay=br-ex")
	c.until(t, "the underlay's MTU", func() bool { return c.infos["h1"].UnderlayMTU > 0 })
	if n := c.count("repaired"); n != 0 {
		t.Error(c.dump())
	}
}
