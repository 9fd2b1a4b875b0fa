package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Labs do not see each other, and each one's hosts reach their own controller.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	a, b := up(t, 1), up(t, 1)
	if a.Controller == b.Controller {
		t.Fatalf("both labs have the controller at %s", a.Controller)
	}
	for _, l := range []*Lab{a, b} {
		attach(t, l, "h1", 1)
		ln, err := net.Listen("tcp", l.Controller.String()+":6640")
		if err != nil {
			t.Fatal(err)
		}
		if err := ln.(*net.TCPListener).SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); from != l.Host("h1").VTEP() {
			t.Errorf("%s connects, and not the host of the lab, %s", from, l.Host("h1").VTEP())
		}
		_, _ = c.Close(), ln.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if c, err := Dial(ctx, a.Host("h1"), netip.AddrPortFrom(b.Host("h1").VTEP(), 22), netip.AddrPort{}); err == nil {
		_ = c.Close()
		t.Error("a host reaches one of another lab")
	}
	if err := Down(a.Name); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, a.Name)
	if b.Host("h1").PID("ovs-vswitchd") == 0 || len(namespaces("dv-"+b.Name+"-")) != 3 {
		t.Error("one lab's end takes from the other")
	}
}

// A lab that is killed, complete or while it is made, is removed by the next sweep;
// those of living processes and of nobody stay.
func TestKilledLab(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		wait func(name string) bool
	}{
		{"complete", func(name string) bool {
			return len(namespaces("dv-"+name+"-w1")) == 1 && ownPort(name) && outsideThere(name)
		}},
		{"while it is made", func(name string) bool { return len(namespaces("dv-"+name+"-h1")) == 1 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := newName()
			t.Cleanup(func() { _ = Down(name) })
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "DOVETAIL_LAB_TO_KILL="+name)
			child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, "the lab", func() bool { return tc.wait(name) })
			if _, err := Up(t.Context(), Config{Name: name, Hosts: 1}); err == nil {
				t.Error("the lab of another living process is replaced")
			}
			_ = syscall.Kill(-child.Process.Pid, syscall.SIGKILL)
			_ = child.Wait()
			if names, err := Names(); err != nil || !slices.Contains(names, name) {
				t.Errorf("the killed lab is not listed: %s, %v", names, err)
			}
			swept, err := Sweep()
			if err != nil || !slices.Contains(swept, name) {
				t.Errorf("swept %s, %v", swept, err)
			}
			nothingLeft(t, name)
		})
	}
}

// toBeKilled makes a lab, and waits for its end.
func toBeKilled(name string) {
	l, err := Up(context.Background(), Config{Name: name, Hosts: 2, Owner: os.Getpid()})
	if err == nil {
		_, err = l.Host("h1").Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev")
	}
	if err == nil {
		_, err = l.Attach(l.Host("h1"), AttachConfig{InterfaceID: "t/e", MAC: "02:00:00:00:00:01"})
	}
	var f *Function
	if err == nil {
		f, err = l.AttachOneArmed(l.Host("h1"), port(1, netip.MustParsePrefix("192.0.2.1/24")))
	}
	if err == nil {
		at := netip.MustParseAddrPort("192.0.2.1:80")
		_, err = f.In.StartHAProxy(HAProxyConfig{Listen: at, Backends: []HAProxyBackend{{"itself", at}}})
	}
	if err == nil {
		err = l.Host("h1").MapBridge("ext")
	}
	if err == nil {
		_, err = l.Outside(OutsideConfig{Name: "far", VLAN: 7, Underlay: true})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

func outsideThere(name string) bool {
	l, err := Open(name)
	if err != nil {
		return false
	}
	o, err := l.FindOutside("far")
	return err == nil && o.Command("ip", "link", "show", "ul0").Run() == nil
}

func ownPort(name string) bool {
	l, err := Open(name)
	if err != nil {
		return false
	}
	out, err := l.Host("h1").Vsctl("--bare", "--columns=name", "find", "Interface", "external_ids:iface-id=t/e")
	return err == nil && out != ""
}

// Up with the name of a lab that nobody owns makes it anew; an Up that is
// interrupted leaves nothing.
func TestUpAgainAndInterrupted(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	first := l.Host("h1").PID("ovs-vswitchd")
	if _, err := Up(t.Context(), Config{Name: l.Name, Hosts: 1}); err != nil {
		t.Fatal(err)
	}
	if pid := l.Host("h1").PID("ovs-vswitchd"); pid == 0 || pid == first {
		t.Errorf("ovs-vswitchd was process %d and is %d", first, pid)
	}
	// Now the lab is nobody's, as one that was made by hand: it is not thrown away.
	if _, err := Up(t.Context(), Config{Name: l.Name, Hosts: 2}); err == nil || !strings.Contains(err.Error(), "there already (1 hosts, 0 workloads)") {
		t.Errorf("a second Up of a lab made by hand says %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Up(ctx, Config{Name: l.Name, Hosts: 8, Owner: os.Getpid(), Progress: func(int, int) { cancel() }})
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("an interrupted Up says %v", err)
	}
	nothingLeft(t, l.Name)
}

// Hosts call themselves by the lab's prefix, are found with it and without, and what
// they lack is told.
func TestHostsWithAPrefix(t *testing.T) {
	t.Parallel()
	name := newName()
	t.Cleanup(func() {
		if err := Down(name); err != nil {
			t.Error(err)
		}
	})
	if _, err := Up(t.Context(), Config{Name: name, Hosts: 1, Prefix: "Big "}); err == nil || !strings.Contains(err.Error(), "host prefix") {
		t.Errorf("a bad prefix says %v", err)
	}
	if _, err := Up(t.Context(), Config{Name: name, Hosts: 1, Prefix: "big-", Owner: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	l, err := Open(name) // as another process would
	if err != nil {
		t.Fatal(err)
	}
	for _, typed := range []string{"h1", "big-h1"} {
		if h, err := l.FindHost(typed); err != nil || h.Name != "h1" || h.SystemID() != "big-h1" {
			t.Errorf("%s: %+v, %v", typed, h, err)
		}
	}
	if _, err := l.FindHost("big-h2"); err == nil {
		t.Error("a host that is not there is found")
	}
	h := l.Host("h1")
	if id := must(t, h, "get", "Open_vSwitch", ".", "external_ids:system-id"); !strings.Contains(id, "big-h1") {
		t.Errorf("system-id %s", id)
	}
	if v := must(t, h, "get", "Open_vSwitch", ".", "ovs_version"); !strings.Contains(v, ".") {
		t.Errorf("version %s", v)
	}
	if there, err := h.Provisioned(); there || err != nil {
		t.Errorf("provisioned by nobody: %v, %v", there, err)
	}
	if m := h.Missing(); m != nil {
		t.Errorf("missing %s", m)
	}
	if err := h.KillSwitch(); err != nil {
		t.Fatal(err)
	}
	if m := h.Missing(); !slices.Equal(m, []string{"ovs-vswitchd"}) {
		t.Errorf("missing %s", m)
	}
}
