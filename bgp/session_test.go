package bgp

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAPeerWithoutAdditionalPathsGetsTheLowest(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	r.vtysh("conf t", "router bgp 65001",
		"address-family ipv4 unicast", "neighbor "+r.us.String()+" disable-addpath-rx")
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 65001}))
	low, high := route("10.1.0.0/24", "203.0.113.11"), route("10.1.0.0/24", "203.0.113.12")
	announce(t, s, high, low)
	r.waitRoutes(low)
	announce(t, s, high)
	r.waitRoutes(high)
}

func TestInternalPeer(t *testing.T) {
	r := startRouter(t, 64512, 64512)
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 64512}))
	want := []Route{route("10.1.0.0/24", "203.0.113.11"), route("2001:db8:a::/48", "2001:db8:1::11")}
	announce(t, s, want...)
	r.waitRoutes(want...)
	for prefix, paths := range r.paths() {
		if paths[0].Path != "" {
			t.Errorf("%s has AS path %q", prefix, paths[0].Path)
		}
	}
}

// Four-byte ASNs, and a session over IPv6.
func TestLongASNsOverIPv6(t *testing.T) {
	r := startRouter(t, 4200000001, 4200000000)
	r.vtysh("conf t", "router bgp 4200000001",
		"neighbor "+r.us6().String()+" remote-as 4200000000", "neighbor "+r.us6().String()+" ebgp-multihop 64",
		"address-family ipv4 unicast", "neighbor "+r.us6().String()+" activate", "exit-address-family",
		"address-family ipv6 unicast", "neighbor "+r.us6().String()+" activate")
	s := startSpeaker(t, config(4200000000, Peer{Address: r.addr6(), ASN: 4200000001}))
	want := []Route{route("10.1.0.0/24", "203.0.113.11"), route("2001:db8:a::/48", "2001:db8:1::11")}
	announce(t, s, want...)
	r.waitRoutes(want...)
	for prefix, paths := range r.paths() {
		if paths[0].Path != "4200000000" {
			t.Errorf("%s has AS path %q", prefix, paths[0].Path)
		}
	}
}

func TestAPeerThatChangesItsASN(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 65002}))
	want := route("10.1.0.0/24", "203.0.113.11")
	announce(t, s, want)
	eventually(t, "refusal of the wrong ASN", func() (bool, any) {
		p := stateOf(s, r.addr)
		return strings.Contains(p.LastError, "65001") && p.Established.IsZero(), p
	})
	apply(t, s, config(64512, Peer{Address: r.addr, ASN: 65001}))
	r.waitRoutes(want)

	r.stopBGPD()
	r.configure(65002, 64512)
	r.startBGPD()
	eventually(t, "refusal of the new ASN", func() (bool, any) {
		p := stateOf(s, r.addr)
		return strings.Contains(p.LastError, "65002"), p
	})
	apply(t, s, config(64512, Peer{Address: r.addr, ASN: 65002}))
	r.waitRoutes(want)
}

func TestPassword(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 65001, Password: "wrong"}))
	want := route("10.1.0.0/24", "203.0.113.11")
	announce(t, s, want)
	var p PeerState
	eventually(t, "failure", func() (bool, any) {
		p = stateOf(s, r.addr)
		return p.LastError != "", p
	})
	if strings.Contains(p.LastError, "which the kernel must have") {
		t.Logf("this kernel has no TCP MD5, and the peer's state says so: %s", p.LastError)
		return
	}
	r.vtysh("conf t", "router bgp 65001", "neighbor "+r.us.String()+" password right")
	apply(t, s, config(64512, Peer{Address: r.addr, ASN: 65001, Password: "right"}))
	r.waitRoutes(want)
}

func TestTheSessionStaysWhereNothingChanges(t *testing.T) {
	one, two := startRouter(t, 65001, 64512), startRouter(t, 65002, 64512)
	first, second := Peer{Address: one.addr, ASN: 65001}, Peer{Address: two.addr, ASN: 65002}
	s := startSpeaker(t, config(64512, first))
	want := route("10.1.0.0/24", "203.0.113.11")
	announce(t, s, want)
	one.waitRoutes(want)
	before := waitEstablished(t, s, one.addr)

	apply(t, s, config(64512, second, first))
	two.waitRoutes(want)
	if now := stateOf(s, one.addr); now.Established != before.Established || now.LastError != "" {
		t.Errorf("the first session was %+v and is %+v", before, now)
	}
	peers := s.Peers()
	if len(peers) != 2 || peers[0].Address != one.addr || peers[1].Address != two.addr {
		t.Errorf("peers are %+v", peers)
	}

	// A peer that is removed forgets at once what it has got.
	apply(t, s, config(64512, second))
	one.waitRoutes()
	two.waitRoutes(want)
	if len(s.Peers()) != 1 {
		t.Errorf("peers are %+v", s.Peers())
	}
}

func TestAPeerThatStartsAgainGetsEverything(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 65001}))
	want := []Route{route("10.1.0.0/24", "203.0.113.11"), route("2001:db8:a::/48", "2001:db8:1::11")}
	announce(t, s, want...)
	r.waitRoutes(want...)
	r.stopBGPD()
	r.startBGPD()
	r.waitRoutes(want...)
	// And if it asks for everything.
	r.vtysh("conf t", "ip prefix-list none seq 5 deny any",
		"router bgp 65001", "address-family ipv4 unicast", "neighbor "+r.us.String()+" prefix-list none in")
	r.waitRoutes(want[1])
	r.vtysh("conf t", "router bgp 65001", "address-family ipv4 unicast", "no neighbor "+r.us.String()+" prefix-list none in")
	r.waitRoutes(want...)
}

func TestNothingIsDialledBeforeTheFirstAnnounce(t *testing.T) {
	l := listen(t)
	s := startSpeaker(t, config(64512, l.peer(65001)))
	_ = l.SetDeadline(time.Now().Add(500 * time.Millisecond))
	if conn, err := l.Accept(); err == nil {
		conn.Close()
		t.Fatal("the speaker dialled before it knew its routes")
	}
	_ = l.SetDeadline(time.Time{})
	announce(t, s)
	l.accept(t)
}

func TestRandomSequencesEndInTheAnnouncedSet(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 65001}))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 20 {
		var routes []Route
		for range random.IntN(6) {
			routes = randomSet(random)
			announce(t, s, routes...)
		}
		announce(t, s, routes...)
		r.waitRoutes(routes...)
	}
}

// randomSet has up to a thousand routes, so that some sets take several messages.
func randomSet(random *rand.Rand) []Route {
	var routes []Route
	for range random.IntN(1000) {
		n, hop := random.IntN(400), 11+random.IntN(4)
		if random.IntN(2) == 0 {
			routes = append(routes, route(fmt.Sprintf("10.%d.%d.0/24", n/256, n%256), fmt.Sprintf("203.0.113.%d", hop)))
		} else {
			routes = append(routes, route(fmt.Sprintf("2001:db8:%x::/48", 0x100+n), fmt.Sprintf("2001:db8:1::%x", hop)))
		}
	}
	return routes
}

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	s := startSpeaker(t, config(64512))
	addr := netip.MustParseAddr("198.18.0.2")
	good := Peer{Address: addr, ASN: 65001}
	for name, cfg := range map[string]Config{
		"no ASN":              {RouterID: addr, Peers: []Peer{good}},
		"no router ID":        {ASN: 64512},
		"router ID of IPv6":   {ASN: 64512, RouterID: netip.MustParseAddr("2001:db8::1")},
		"peer twice":          config(64512, good, good),
		"peer twice, written": config(64512, good, Peer{Address: netip.MustParseAddr("::ffff:198.18.0.2"), ASN: 65001}),
		"peer without ASN":    config(64512, Peer{Address: addr}),
		"peer with no name":   config(64512, Peer{ASN: 65001}),
		"long password":       config(64512, Peer{Address: addr, ASN: 65001, Password: strings.Repeat("x", 81)}),
	} {
		if err := s.Apply(t.Context(), cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	announce(t, s)
	for _, r := range []Route{
		{}, {Prefix: netip.MustParsePrefix("10.0.0.0/8")}, route("10.0.0.1/8", "192.0.2.1"), route("10.0.0.0/8", "2001:db8::1"),
		route("2001:db8::/32", "192.0.2.1"), route("10.0.0.0/8", "0.0.0.0"), route("10.0.0.0/8", "224.0.0.1"),
		route("2001:db8::/32", "fe80::1%eth0"), route("::ffff:10.0.0.0/104", "2001:db8::1"),
	} {
		if err := s.Announce(t.Context(), []Route{r}); err == nil {
			t.Errorf("%v was accepted", r)
		}
	}
	s.Close()
	if s.Apply(t.Context(), config(64512)) == nil || s.Announce(t.Context(), nil) == nil {
		t.Error("a closed speaker was told something")
	}
}

func TestPathsOfOnePrefixNeverShareAnIdentifier(t *testing.T) {
	var routes []Route
	for _, hop := range collision(t) {
		routes = append(routes, route("2001:db8:a::/48", hop.String()))
	}
	one, err := newRIB(routes)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(routes)
	two, err := newRIB(routes)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.all) != 2 {
		t.Errorf("%d paths of 2", len(one.all))
	}
	if announce, withdraw := differences(one.all, two.all); len(announce)+len(withdraw) != 0 {
		t.Error("identifiers depend on the order of the routes")
	}
}

// collision finds two next hops that hash alike.
func collision(t *testing.T) [2]netip.Addr {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	seen := make(map[uint32]netip.Addr)
	for range 1 << 20 {
		b := [16]byte{0x20, 1, 0xd, 0xb8}
		binary.BigEndian.PutUint64(b[8:], random.Uint64())
		a := netip.AddrFrom16(b)
		if other, ok := seen[pathID(a)]; ok {
			return [2]netip.Addr{a, other}
		}
		seen[pathID(a)] = a
	}
	t.Fatal("no two addresses hash alike")
	return [2]netip.Addr{}
}
