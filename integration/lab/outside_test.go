package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// machine makes a machine outside with 198.51.100.N/24 and fd01::N/64.
func machine(t *testing.T, l *Lab, n int, cfg OutsideConfig) *Outside {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = fmt.Sprintf("m%d", n)
	}
	cfg.Addresses = []netip.Prefix{netip.PrefixFrom(ext4(n), 24), netip.PrefixFrom(ext6(n), 64)}
	o, err := l.Outside(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func ext4(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}) }

func ext6(n int) netip.Addr { return netip.AddrFrom16([16]byte{0xfd, 1, 15: byte(n)}) }

// hears fails the test if a machine does not reach an address.
func hears(t *testing.T, from Machine, to netip.Addr) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := Ping(ctx, from, to); err != nil {
		t.Error(err)
	}
}

// isDeaf fails the test if a machine reaches an address.
func isDeaf(t *testing.T, from Machine, to netip.Addr) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if Ping(ctx, from, to) == nil {
		t.Errorf("%s reaches %s and must not", from.Namespace(), to)
	}
}

func transfers(t *testing.T, from, to Machine, addr netip.Addr, size int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := Transfer(ctx, from, to, addr, size); err != nil {
		t.Error(err)
	}
}

// Machines reach each other through the outside switch within their VLAN only, with
// full frames, and the controller reaches one that is on the underlay.
func TestOutsideSwitch(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	m1, m2 := machine(t, l, 1, OutsideConfig{Underlay: true}), machine(t, l, 2, OutsideConfig{})
	v3, v4 := machine(t, l, 3, OutsideConfig{VLAN: 100}), machine(t, l, 4, OutsideConfig{VLAN: 100})
	v5 := machine(t, l, 5, OutsideConfig{VLAN: 200})
	for _, pair := range []struct {
		from, to *Outside
		n        int
	}{{m1, m2, 2}, {v3, v4, 4}} {
		for _, to := range []netip.Addr{ext4(pair.n), ext6(pair.n)} {
			hears(t, pair.from, to)
			transfers(t, pair.from, pair.to, to, 1<<20)
		}
	}
	isDeaf(t, m1, ext4(3))
	isDeaf(t, v3, ext4(1))
	isDeaf(t, v3, ext4(5))
	isDeaf(t, v5, ext6(4))

	// From the controller's side, and from the machine's.
	s, err := Serve(m1, "tcp", netip.AddrPortFrom(m1.ManagementAddress(), 0))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	hears(t, m1, l.Controller)
	hears(t, m1, l.Host("h1").VTEP())
	if err := run("ping", "-c1", "-W5", m1.ManagementAddress().String()); err != nil {
		t.Error(err)
	}
}

// What is tagged by an access port is so on the outside switch, where gateway hosts
// are, and full frames have room for the tag.
func TestTagsOnTheOutsideSwitch(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	h := l.Host("h1")
	if err := h.MapBridge("ext"); err != nil {
		t.Fatal(err)
	}
	v1 := machine(t, l, 1, OutsideConfig{VLAN: 100})
	// A port of br-phys in the VLAN, as a provider's host would have it.
	must(t, h, "add-port", "br-phys", "inner", "tag=100", "--", "set", "interface", "inner", "type=internal")
	waitUntil(t, "the port", func() bool {
		return run("ip", "-n", h.Namespace(), "addr", "replace", "198.51.100.2/24", "dev", "inner") == nil
	})
	if err := run("ip", "-n", h.Namespace(), "link", "set", "inner", "up"); err != nil {
		t.Fatal(err)
	}
	hears(t, v1, ext4(2))
	if out, err := v1.Command("ping", "-c1", "-W5", "-Mdo", "-s1472", "198.51.100.2").CombinedOutput(); err != nil {
		t.Errorf("a full frame: %v: %s", err, out)
	}
	must(t, h, "set", "port", "inner", "tag=101")
	isDeaf(t, v1, ext4(2))
}

// A host's bridge to a physical network passes frames, until its cable is cut.
func TestMapBridge(t *testing.T) {
	t.Parallel()
	l := up(t, 2)
	m1 := machine(t, l, 1, OutsideConfig{})
	h := l.Host("h1")
	must(t, h, "set", "Open_vSwitch", ".", "external_ids:dovetail-bridge-mappings=dmz:br-dmz")
	for _, physnet := range []string{"ext", "ext", "other"} {
		if err := h.MapBridge(physnet); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Host("h2").MapBridge("ext"); err != nil {
		t.Fatal(err)
	}
	if err := h.MapBridge("dmz"); err == nil || !strings.Contains(err.Error(), "br-dmz already") {
		t.Errorf("a network that is on another bridge: %v", err)
	}
	if err := h.MapBridge("a:b,c"); err == nil {
		t.Error("a name that cannot be written down is taken")
	}
	if got := must(t, h, "get", "Open_vSwitch", ".", "external_ids:dovetail-bridge-mappings"); got != `"dmz:br-dmz,ext:br-phys,other:br-phys"` {
		t.Errorf("mappings %s", got)
	}
	for n, name := range []string{"h1", "h2"} {
		if err := script(fmt.Sprintf("ip -n %s addr add %s/24 dev br-phys", l.Host(name).Namespace(), ext4(10+n)),
			fmt.Sprintf("ip -n %s link set br-phys up", l.Host(name).Namespace())); err != nil {
			t.Fatal(err)
		}
	}
	hears(t, m1, ext4(10))
	hears(t, l.Host("h2"), ext4(10))
	transfers(t, m1, h, ext4(10), 1<<20)
	transfers(t, h, m1, ext4(1), 1<<20)

	if err := h.CutPhysical(true); err != nil {
		t.Fatal(err)
	}
	isDeaf(t, m1, ext4(10))
	hears(t, m1, ext4(11))
	// The address appears elsewhere, with the MAC, and the switch learns by one frame.
	mac := strings.Trim(must(t, h, "get", "interface", "br-phys", "mac_in_use"), `"`)
	h2 := l.Host("h2")
	must(t, h2, "set", "bridge", "br-phys", `other_config:hwaddr="`+mac+`"`)
	if err := run("ip", "-n", h2.Namespace(), "addr", "add", ext4(10).String()+"/24", "dev", "br-phys"); err != nil {
		t.Fatal(err)
	}
	hears(t, h2, ext4(1))
	hears(t, m1, ext4(10))
}

// A router outside leads to what is behind it, also where less fits through.
func TestRouterOutside(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	m1, router, far := machine(t, l, 1, OutsideConfig{}), machine(t, l, 2, OutsideConfig{Name: "router", Forward: true}), machine(t, l, 3, OutsideConfig{Name: "far"})
	for _, p := range []struct{ a, b, here, there string }{
		{"203.0.113.1/24", "203.0.113.2/24", "198.51.100.0/24", "203.0.113.0/24"},
		{"fd02::1/64", "fd02::2/64", "fd01::/64", "fd02::/64"},
	} {
		a, b := netip.MustParsePrefix(p.a), netip.MustParsePrefix(p.b)
		if a.Addr().Is4() {
			if err := router.Link(far, a, b, 1400); err != nil {
				t.Fatal(err)
			}
			// The far machine is behind the router only.
			if err := run("ip", "-n", far.Namespace(), "link", "del", "eth0"); err != nil {
				t.Fatal(err)
			}
		} else if err := script("ip -n "+router.Namespace()+" addr add "+p.a+" dev to-far", "ip -n "+far.Namespace()+" addr add "+p.b+" dev to-router"); err != nil {
			t.Fatal(err)
		}
		if err := m1.AddRoute(netip.MustParsePrefix(p.there), map[bool]netip.Addr{true: ext4(2), false: ext6(2)}[a.Addr().Is4()]); err != nil {
			t.Fatal(err)
		}
		if err := far.AddRoute(netip.MustParsePrefix(p.here), a.Addr()); err != nil {
			t.Fatal(err)
		}
		hears(t, m1, b.Addr())
		transfers(t, m1, far, b.Addr(), 1<<20)
	}
	if out, err := m1.Command("ping", "-c1", "-W5", "-Mdo", "-s1472", "203.0.113.2").CombinedOutput(); err == nil {
		t.Errorf("1,500 bytes pass where 1,400 fit: %s", out)
	}
}

// Machines are found again by others, have numbers of their own, and go for good.
func TestOutsideIsWrittenDown(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	m1, m2 := machine(t, l, 1, OutsideConfig{Underlay: true}), machine(t, l, 2, OutsideConfig{VLAN: 5, Underlay: true})
	if err := m1.AddAddress(netip.MustParsePrefix("198.51.100.9/24")); err != nil {
		t.Fatal(err)
	}
	hears(t, m1, ext4(9))
	again, err := Open(l.Name)
	if err != nil {
		t.Fatal(err)
	}
	found, err := again.FindOutside("m1")
	if err != nil {
		t.Fatal(err)
	}
	if found.ManagementAddress() != m1.ManagementAddress() || m1.ManagementAddress() == m2.ManagementAddress() || m1.MAC() == m2.MAC() {
		t.Errorf("%s, %s, %s, %s", found.ManagementAddress(), m1.ManagementAddress(), m2.ManagementAddress(), m1.MAC())
	}
	if e := again.Outsides()["m1"]; !slices.Contains(e.Addresses, netip.MustParsePrefix("198.51.100.9/24")) || len(e.Addresses) != 3 {
		t.Errorf("written down is %+v", e)
	}
	if _, err := again.Outside(OutsideConfig{Name: "m1"}); err == nil {
		t.Error("a machine is made twice")
	}
	for _, cfg := range []OutsideConfig{{Name: "Bad"}, {Name: "averylongname"}, {Name: "m3", VLAN: 4095}, {Name: "m3", MTU: 9000}, {Name: "m3", Addresses: make([]netip.Prefix, 1)}} {
		if _, err := l.Outside(cfg); err == nil {
			t.Errorf("%+v is made", cfg)
		}
	}
	for range 2 {
		for n, m := range []*Outside{found, m2} {
			if err := m.Remove(); err != nil {
				t.Fatal(err)
			}
			cfg := OutsideConfig{Underlay: true, VLAN: 5 * n}
			if m = machine(t, l, n+1, cfg); m.Name != []string{"m1", "m2"}[n] {
				t.Errorf("machine %s", m.Name)
			}
		}
	}
}
