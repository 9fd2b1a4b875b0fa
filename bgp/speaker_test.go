package bgp

import "testing"

func TestRoutesReachARouter(t *testing.T) {
	r := startRouter(t, 65001, 64512)
	s := startSpeaker(t, config(64512, Peer{Address: r.addr, ASN: 65001}))
	one := []Route{
		route("10.1.0.0/24", "203.0.113.11"), route("10.1.0.0/24", "203.0.113.12"),
		route("10.2.0.0/16", "203.0.113.12"), route("192.0.2.7/32", "203.0.113.11"),
		route("2001:db8:a::/48", "2001:db8:1::11"), route("2001:db8:a::/48", "2001:db8:1::12"),
		route("2001:db8:b::1/128", "2001:db8:1::11"),
	}
	announce(t, s, one...)
	r.waitRoutes(one...)
	for prefix, paths := range r.paths() {
		for _, p := range paths {
			if p.Path != "64512" {
				t.Errorf("%s has AS path %q", prefix, p.Path)
			}
		}
	}
	eventually(t, "5 prefixes in the peer's state", func() (bool, any) {
		got := stateOf(s, r.addr)
		return got.Prefixes == 5 && !got.Established.IsZero(), got
	})

	// One next hop less, another next hop, one prefix less.
	two := []Route{route("10.1.0.0/24", "203.0.113.12"), route("10.2.0.0/16", "203.0.113.11"), route("2001:db8:b::1/128", "2001:db8:1::12")}
	announce(t, s, two...)
	r.waitRoutes(two...)
	announce(t, s)
	r.waitRoutes()
}
