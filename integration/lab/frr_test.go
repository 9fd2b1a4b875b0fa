package lab

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// waitRoutes waits until the router has these routes from BGP, and no others.
func waitRoutes(t *testing.T, f *FRR, want map[string][]netip.Addr) {
	t.Helper()
	wanted := map[netip.Prefix][]netip.Addr{}
	for p, hops := range want {
		wanted[netip.MustParsePrefix(p)] = hops
	}
	var got map[netip.Prefix][]netip.Addr
	defer func() {
		if t.Failed() {
			t.Logf("the routes are %v, wanted are %v", got, wanted)
		}
	}()
	waitUntil(t, "the routes", func() bool {
		var err error
		if got, err = f.Routes(t.Context()); err != nil {
			t.Fatal(err)
		}
		return maps.EqualFunc(got, wanted, slices.Equal[[]netip.Addr])
	})
}

func waitSession(t *testing.T, f *FRR, up bool) {
	t.Helper()
	waitUntil(t, "the session", func() bool {
		is, err := f.SessionUp(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return is == up
	})
}

func startFRR(t *testing.T, o *Outside, cfg FRRConfig) *FRR {
	t.Helper()
	f, err := o.StartFRR(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// Routers outside peer with each other: routes of both families come over one session
// and are in the kernel, several next hops at once, and go with whom they came from.
func TestFRR(t *testing.T) {
	t.Parallel()
	l := up(t, 1)
	r1, r2, r3 := machine(t, l, 1, OutsideConfig{Forward: true}), machine(t, l, 2, OutsideConfig{Forward: true}), machine(t, l, 3, OutsideConfig{})
	one := FRRConfig{ASN: 65001, Neighbor: ext4(2), NeighborASN: 65002, Networks: prefixes("203.0.113.0/24", "203.0.113.7/32", "2001:db8:1::/48", "0.0.0.0/0")}
	f1 := startFRR(t, r1, one)
	f2 := startFRR(t, r2, FRRConfig{ASN: 65002, Neighbor: ext4(1), NeighborASN: 65001, Passive: true, RouterID: ext4(2), Networks: prefixes("192.0.2.0/24")})
	waitSession(t, f1, true)
	waitSession(t, f2, true)
	waitRoutes(t, f1, map[string][]netip.Addr{"192.0.2.0/24": {ext4(2)}})
	// The link-local address is preferred where the neighbor is on the link; it is made of the MAC.
	linkLocal := netip.MustParseAddr("fe80::4dd:ff:fe00:1")
	only1 := map[string][]netip.Addr{"203.0.113.0/24": {ext4(1)}, "203.0.113.7/32": {ext4(1)}, "0.0.0.0/0": {ext4(1)}, "2001:db8:1::/48": {linkLocal}}
	waitRoutes(t, f2, only1)
	if _, err := r1.StartFRR(one); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second FRR on a machine: %v", err)
	}

	// A second way to the same prefix, from another AS.
	f3 := startFRR(t, r3, FRRConfig{ASN: 65003, Neighbor: ext4(2), NeighborASN: 65002, Networks: prefixes("203.0.113.0/24")})
	if _, err := f2.Vtysh(t.Context(), "configure terminal", "router bgp 65002", "neighbor 198.51.100.3 remote-as 65003"); err != nil {
		t.Fatal(err)
	}
	waitSession(t, f3, true)
	both := maps.Clone(only1)
	both["203.0.113.0/24"] = []netip.Addr{ext4(1), ext4(3)}
	waitRoutes(t, f2, both)
	if err := f3.Kill(); err != nil {
		t.Fatal(err)
	}
	waitRoutes(t, f2, only1)

	if err := f1.Stop(); err != nil {
		t.Fatal(err)
	}
	waitSession(t, f2, false)
	waitRoutes(t, f2, nil)
	waitRoutes(t, f1, nil)
	startFRR(t, r1, one)
	waitSession(t, f2, true)
	waitRoutes(t, f2, only1)
	if _, err := r3.StartFRR(FRRConfig{ASN: 1, Neighbor: ext4(1)}); err == nil {
		t.Error("a router without its neighbor's AS number starts")
	}
}

func TestReadRoutes(t *testing.T) {
	got := map[netip.Prefix][]netip.Addr{}
	for _, tc := range []struct {
		out string
		six bool
	}{
		{`[{"dst":"default","nhid":7,"gateway":"198.51.100.2","dev":"eth0","protocol":"bgp","metric":20,"flags":[]},` +
			`{"dst":"192.0.2.1","nexthops":[{"gateway":"198.51.100.3","dev":"eth0"},{"gateway":"198.51.100.2","dev":"eth0"}]},` +
			`{"dst":"192.0.2.0/24","via":{"family":"inet6","host":"fe80::1"},"dev":"eth0"}]`, false},
		{`[{"dst":"default","gateway":"fd01::1"},{"dst":"default","gateway":"fd01::2"}]`, true},
		{"", true},
	} {
		if err := readRoutes(tc.out, tc.six, got); err != nil {
			t.Fatal(err)
		}
	}
	want := map[netip.Prefix][]netip.Addr{
		netip.MustParsePrefix("0.0.0.0/0"):    {ext4(2)},
		netip.MustParsePrefix("192.0.2.1/32"): {ext4(2), ext4(3)},
		netip.MustParsePrefix("192.0.2.0/24"): {netip.MustParseAddr("fe80::1")},
		netip.MustParsePrefix("::/0"):         {ext6(1), ext6(2)},
	}
	if !maps.EqualFunc(got, want, slices.Equal[[]netip.Addr]) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, bad := range []string{"nonsense", `[{"dst":"nowhere"}]`} {
		if readRoutes(bad, false, got) == nil {
			t.Errorf("%s is read", bad)
		}
	}
}
