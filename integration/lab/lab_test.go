package lab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func TestMain(m *testing.M) {
	if name := os.Getenv("DOVETAIL_LAB_TO_KILL"); name != "" {
		toBeKilled(name)
	}
	if err := Preflight(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if _, err := Sweep(); err != nil {
		fmt.Fprintln(os.Stderr, "removing labs of an earlier run:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var labs atomic.Int32

// newName is a name that no other lab has, of other test runs neither.
func newName() string { return fmt.Sprintf("l%05x%02x", os.Getpid()&0xfffff, labs.Add(1)&0xff) }

// up makes a lab whose hosts have an integration bridge with a tunnel port, 1, as a
// controller would make it. It checks in the end that nothing is left.
func up(t *testing.T, hosts int) *Lab {
	t.Helper()
	name := newName()
	t.Cleanup(func() {
		if err := Down(name); err != nil {
			t.Errorf("removing the lab: %v", err)
		}
		nothingLeft(t, name)
	})
	l, err := Up(t.Context(), Config{Name: name, Hosts: hosts, Owner: os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range l.Hosts() {
		must(t, l.Host(h), "add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "fail_mode=secure",
			"--", "add-port", "br-int", "vx", "--", "set", "interface", "vx", "type=vxlan", "options:remote_ip=flow", "options:key=flow", "ofport_request=1")
	}
	return l
}

func must(t *testing.T, h *Host, args ...string) string {
	t.Helper()
	out, err := h.Vsctl(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// nothingLeft checks that no process, namespace, interface or folder of a lab is there.
func nothingLeft(t *testing.T, name string) {
	t.Helper()
	if left := namespaces("dv-" + name + "-"); len(left) > 0 {
		t.Errorf("namespaces are left: %s", left)
	}
	if _, err := net.InterfaceByName("dv-" + name); err == nil {
		t.Errorf("interface dv-%s is left", name)
	}
	if _, err := os.Stat(filepath.Join(Root, name)); err == nil {
		t.Errorf("folder %s/%s is left", Root, name)
	}
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if data, _ := os.ReadFile(f); bytes.Contains(data, []byte(Root+"/"+name+"/")) {
			t.Errorf("a process is left: %s", bytes.ReplaceAll(data, []byte{0}, []byte{' '}))
		}
	}
}

// attach makes workload number n of network 10.0.0.0/24, fd00::/64.
func attach(t *testing.T, l *Lab, host string, n int) *Workload {
	t.Helper()
	w, err := l.Attach(l.Host(host), AttachConfig{
		InterfaceID: fmt.Sprintf("acme/w%d", n), MAC: fmt.Sprintf("02:00:00:00:00:%02x", n), MTU: 1500,
		Addresses: []netip.Prefix{netip.PrefixFrom(v4(n), 24), netip.PrefixFrom(v6(n), 64)},
		Gateways:  []netip.Addr{v4(254), v6(254)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func v4(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }

func v6(n int) netip.Addr { return netip.AddrFrom16([16]byte{0xfd, 15: byte(n)}) }

// join sends all that comes from a workload to the other host, and what comes from
// there to the workload: the least that a controller would do.
func join(t *testing.T, w *Workload, other *Host) {
	t.Helper()
	h := w.Host()
	must(t, h, "wait-until", "Interface", w.Port(), "ofport>0")
	port := must(t, h, "get", "Interface", w.Port(), "ofport")
	flows := fmt.Sprintf("cookie=0x2a,in_port=%s,actions=set_field:7->tun_id,set_field:%s->tun_dst,output:1\nin_port=1,tun_id=7,actions=output:%[1]s\n", port, other.VTEP())
	file := filepath.Join(w.lab.dir(), w.Port()+".flows")
	if err := os.WriteFile(file, []byte(flows), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Ofctl("add-flows", "br-int", file); err != nil {
		t.Fatal(err)
	}
}

func reaches(t *testing.T, w *Workload, to netip.Addr) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.Ping(ctx, to); err != nil {
		t.Fatal(err)
	}
}

// Two workloads on two hosts reach each other over VXLAN, in every way that the lab
// offers to try it.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	l := up(t, 2)
	h1, h2 := l.Host("h1"), l.Host("h2")
	w1, w2 := attach(t, l, "h1", 1), attach(t, l, "h2", 2)
	join(t, w1, h2)
	join(t, w2, h1)
	for _, to := range []netip.Addr{v4(2), v6(2)} {
		reaches(t, w1, to)
		if err := w1.TCP(w2, to, 10*time.Second); err != nil {
			t.Errorf("TCP to %s: %v", to, err)
		}
	}

	p, err := w1.NewPinger(v4(2), 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	for p.Replies() < 50 {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if sent, lost, _ := p.Stop(); sent < 50 || lost != 0 {
		t.Errorf("%d of %d pings were lost", lost, sent)
	}
	// Counters follow the packets within a second or so.
	waitUntil(t, "the flow to count the pings", func() bool {
		flows, err := h1.Flows("br-int", "cookie=0x2a/-1")
		if err != nil || len(flows) != 1 || !strings.HasPrefix(flows[0].Text, "in_port=") {
			t.Fatalf("the flow to the other host is %+v, %v", flows, err)
		}
		return flows[0].Packets >= 50 && flows[0].Bytes > 0 && flows[0].Duration > 0
	})

	s, err := w2.Sniff()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	frame := append([]byte{255, 255, 255, 255, 255, 255, 2, 9, 9, 9, 9, 9, 0x88, 0xb5}, bytes.Repeat([]byte("dovetail"), 8)...)
	if err := w1.Send(frame); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(10*time.Second, func(got []byte) bool { return bytes.Equal(got, frame) }); err != nil {
		t.Errorf("sniffing: %v", err)
	}

	if err := h2.CutUnderlay(true); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if w1.Ping(ctx, v4(2)) == nil {
		t.Error("a ping is answered over an underlay that is cut")
	}
	if err := h2.CutUnderlay(false); err != nil {
		t.Fatal(err)
	}
	reaches(t, w1, v4(2))
}

// A host's daemons can be ended and started again, and the host is as it was.
func TestRestarts(t *testing.T) {
	t.Parallel()
	l := up(t, 2)
	h1, h2 := l.Host("h1"), l.Host("h2")
	w1, w2 := attach(t, l, "h1", 1), attach(t, l, "h2", 2)
	for _, tc := range []struct {
		name, daemon string
		end, start   func() error
	}{
		{"ovsdb-server killed", "ovsdb-server", h1.KillOVSDB, h1.StartOVSDB},
		{"ovs-vswitchd killed", "ovs-vswitchd", h1.KillSwitch, h1.RestartSwitch},
		{"ovs-vswitchd stopped", "ovs-vswitchd", h1.StopSwitch, h1.RestartSwitch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := h1.PID(tc.daemon)
			if err := tc.end(); err != nil {
				t.Fatal(err)
			}
			if pid := h1.PID(tc.daemon); pid != 0 {
				t.Errorf("process %d is there", pid)
			}
			if err := tc.start(); err != nil {
				t.Fatal(err)
			}
			if after := h1.PID(tc.daemon); after == 0 || after == before {
				t.Errorf("process %d before, %d after", before, after)
			}
			join(t, w1, h2)
			join(t, w2, h1)
			reaches(t, w1, v4(2))
		})
	}
}

// A workload moves to another host and keeps its addresses; detached, it is gone.
func TestMoveAndDetach(t *testing.T) {
	t.Parallel()
	l := up(t, 3)
	w1, w2 := attach(t, l, "h1", 1), attach(t, l, "h2", 2)
	join(t, w1, l.Host("h2"))
	join(t, w2, l.Host("h1"))
	reaches(t, w2, v4(1))
	if err := w1.MoveTo(l.Host("h3")); err != nil {
		t.Fatal(err)
	}
	join(t, w1, l.Host("h2"))
	join(t, w2, l.Host("h3"))
	reaches(t, w2, v4(1))
	if ports := must(t, l.Host("h1"), "list-ports", "br-int"); ports != "vx" {
		t.Errorf("ports are left on h1: %s", ports)
	}
	again, err := Open(l.Name)
	if err != nil {
		t.Fatal(err)
	}
	if e := again.Workloads()["acme/w1"]; e.Host != "h3" || e.MAC != "02:00:00:00:00:01" {
		t.Errorf("what is written down is %+v", e)
	}

	sleeper := w1.Command("sleep", "1000")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	waitInhabited(t, w1.Namespace())
	if err := w1.Detach(); err != nil {
		t.Fatal(err)
	}
	if err := sleeper.Wait(); err == nil {
		t.Error("a process in a workload outlives it")
	}
	if _, err := l.Workload("acme/w1"); err == nil {
		t.Error("the workload is still known")
	}
	if ports := must(t, l.Host("h3"), "list-ports", "br-int"); ports != "vx" {
		t.Errorf("ports are left on h3: %s", ports)
	}
	attach(t, l, "h3", 1)
}

// Several processes may attach at once: each works with its own view of the lab.
func TestConcurrentAttach(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	var g errgroup.Group
	for p := range 3 {
		view, err := Open(l.Name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			g.Go(func() error {
				_, err := view.Attach(view.Host("h1"), AttachConfig{InterfaceID: fmt.Sprintf("t/e%d-%d", p, i), MAC: fmt.Sprintf("02:00:00:00:%02x:%02x", p, i)})
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	ports := strings.Fields(must(t, l.Host("h1"), "list-ports", "br-int"))
	after, err := Open(l.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(ports) != 13 || len(after.Workloads()) != 12 {
		t.Errorf("%d ports and %d workloads, 13 and 12 are right", len(ports), len(after.Workloads()))
	}
	if _, err := after.Attach(after.Host("h1"), AttachConfig{InterfaceID: "t/e0-0", MAC: "02:00:00:00:00:00"}); err == nil {
		t.Error("a workload is attached twice")
	}
}

func TestInternalPorts(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	var ports []InternalPort
	for i := range portsPerCommand + 10 {
		ports = append(ports, InternalPort{Name: fmt.Sprintf("p%d", i), InterfaceID: fmt.Sprintf("t/e%d", i)})
	}
	if err := l.Host("h1").AddInternalPorts(ports); err != nil {
		t.Fatal(err)
	}
	if got := len(strings.Fields(must(t, l.Host("h1"), "list-ports", "br-int"))); got != len(ports)+1 {
		t.Errorf("br-int has %d ports, %d are right", got, len(ports)+1)
	}
	if got := must(t, l.Host("h1"), "--bare", "--columns=name", "find", "Interface", "external_ids:iface-id=t/e309"); got != "p309" {
		t.Errorf("the last port is %q", got)
	}
}

func waitInhabited(t *testing.T, ns string) {
	t.Helper()
	waitUntil(t, "a process in "+ns, func() bool { return len(inhabitants([]string{ns})) > 0 })
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}
