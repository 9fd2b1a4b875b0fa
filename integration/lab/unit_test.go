package lab

import (
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestParseFlow(t *testing.T) {
	for _, tc := range []struct {
		line string
		want Flow
	}{
		{"cookie=0x2a, duration=1.5s, table=60, n_packets=12, n_bytes=1176, priority=100,dl_dst=02:00:00:00:00:01 actions=output:3",
			Flow{0x2a, 60, 12, 1176, 1500 * time.Millisecond, "priority=100,dl_dst=02:00:00:00:00:01 actions=output:3"}},
		{"cookie=0x0, duration=0.001s, table=0, n_packets=0, n_bytes=0, actions=drop",
			Flow{0, 0, 0, 0, time.Millisecond, "actions=drop"}},
		{"cookie=0x1, duration=3s, table=0, n_packets=0, n_bytes=0, idle_timeout=60, idle_age=3, send_flow_rem priority=0 actions=CONTROLLER:65535",
			Flow{1, 0, 0, 0, 3 * time.Second, "send_flow_rem priority=0 actions=CONTROLLER:65535"}},
	} {
		if got, err := parseFlow(tc.line); err != nil || got != tc.want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", tc.line, got, err, tc.want)
		}
	}
	for _, line := range []string{"cookie=x, table=0, actions=drop", "cookie=0x1, duration=long, actions=drop", "cookie=0x1, table=one, actions=drop"} {
		if _, err := parseFlow(line); err == nil {
			t.Errorf("%s is read without an error", line)
		}
	}
}

func TestBlocks(t *testing.T) {
	seen := map[netip.Prefix]bool{}
	n := 0
	for ; ; n++ {
		b, ok := block(n)
		if !ok {
			break
		}
		if b.Bits() != 23 || b != b.Masked() || seen[b] {
			t.Fatalf("block %d is %s", n, b)
		}
		seen[b] = true
	}
	if n != 4096+256+1024 {
		t.Errorf("%d blocks", n)
	}
	l := &Lab{}
	l.state.Block = 4096
	if a := l.Host("h250").VTEP(); a != netip.MustParseAddr("198.18.0.251") {
		t.Errorf("host 250 of the second space is %s", a)
	}
}

// A machine may route the space that labs prefer, as some VPNs do.
func TestFreeBlock(t *testing.T) {
	ns := "dv-" + newName() + "-r"
	if err := run("ip", "netns", "add", ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := deleteNamespace(ns); err != nil {
			t.Error(err)
		}
	})
	if err := script("ip -n "+ns+" link set lo up", "ip -n "+ns+" route add 0.0.0.0/1 dev lo", "ip -n "+ns+" addr add 198.18.0.1/32 dev lo",
		"ip -n "+ns+" route add unreachable 100.64.0.0/10 table 52"); err != nil {
		t.Fatal(err)
	}
	err := Inside(ns, func() error {
		n, err := freeBlock()
		if b, _ := block(n); err == nil && b != netip.MustParsePrefix("198.18.2.0/23") {
			t.Errorf("the first free block is %s", b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNames(t *testing.T) {
	for name, good := range map[string]bool{"lab": true, "a1b2c3d4": true, "": false, "Lab": false, "a/b": false, "..": false, "toolongname": false, "a-b": false} {
		if err := checkName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
		if !good && Down(name) == nil {
			t.Errorf("Down(%q) is no error", name)
		}
	}
}

// What runs inside a namespace stays on its thread, and a function that does not
// return does not hang its caller.
func TestInside(t *testing.T) {
	ns := "dv-" + newName() + "-i"
	if err := run("ip", "netns", "add", ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := deleteNamespace(ns); err != nil {
			t.Error(err)
		}
	})
	here := func() string {
		link, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
		}
		return link
	}
	root := here()
	done := make(chan string)
	for range 20 {
		go func() {
			if err := Inside(ns, func() error { runtime.Gosched(); done <- here(); return nil }); err != nil {
				t.Error(err)
			}
			done <- here()
		}()
	}
	inside := 0
	for range 40 {
		if <-done != root {
			inside++
		}
	}
	if inside != 20 {
		t.Errorf("%d of 20 ran inside", inside)
	}
	if err := Inside(ns, func() error { runtime.Goexit(); return nil }); err == nil || !strings.Contains(err.Error(), "did not return") {
		t.Errorf("a function that ends its goroutine gives %v", err)
	}
	if err := Inside("dv-none", func() error { return nil }); err == nil {
		t.Error("a namespace that is not there is entered")
	}
}
