package topology

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
)

// outside is a world with an external network and a gateway.
func outside(t testing.TB) *State {
	t.Helper()
	s := world(t)
	commit(t, s, `
kind: ExternalNetwork
metadata: {name: internet}
spec:
  physicalNetwork: physnet1
  vlan: 100
  subnets:
  - {cidr: 192.0.2.0/24, nextHops: [192.0.2.1], pools: [192.0.2.1-192.0.2.3, 192.0.2.16/30]}
  - {cidr: '2001:db8::/64', nextHops: ['2001:db8::1'], pools: ['2001:db8::2-2001:db8::9']}
---
kind: Gateway
metadata: {name: edge}
spec: {externalNetwork: internet, hosts: [{name: h1}, {name: h2}]}
`)
	return s
}

func TestGatewaysGetAddresses(t *testing.T) {
	s := outside(t)
	g := s.Get(Key{Kind: KindGateway, Name: "edge"}).(*Gateway)
	// 192.0.2.1 is in the pool, but it is the next hop's.
	if len(g.Allocated.Lanes) != 1 || fmt.Sprint(g.Allocated.Lanes[0].Addresses) != "[192.0.2.2 2001:db8::2]" {
		t.Fatalf("%+v", g.Allocated)
	}
	mac := g.Allocated.Lanes[0].MAC
	if mac[0] != 0x0e {
		t.Errorf("MAC %s", mac)
	}
	objects := commit(t, s, `{kind: Gateway, metadata: {name: edge}, spec: {externalNetwork: internet, hosts: [{name: h1, weight: 1}, {name: h2, weight: 3}]}}`)
	g = objects[0].(*Gateway)
	if len(g.Allocated.Lanes) != 2 || g.Allocated.Lanes[0].MAC != mac || g.Allocated.Lanes[1].MAC == mac || fmt.Sprint(g.Allocated.Lanes[1].Addresses) != "[192.0.2.3 2001:db8::3]" {
		t.Errorf("a second lane: %+v", g.Allocated)
	}
}

// Whoever comes and goes, a lane that stays keeps its MAC and its addresses.
func TestLanesStayTheirHosts(t *testing.T) {
	s := outside(t)
	lanes := func(hosts string) map[string]string {
		g := commit(t, s, "{kind: Gateway, metadata: {name: edge}, spec: {externalNetwork: internet, hosts: ["+hosts+"]}}")[0].(*Gateway)
		m := map[string]string{}
		for i, l := range g.Allocated.Lanes {
			if l.Host != g.Order(i)[0] {
				t.Errorf("lane %d is of %s, and on %s", i, l.Host, g.Order(i)[0])
			}
			m[l.Host] = fmt.Sprint(l.MAC, l.Addresses)
		}
		return m
	}
	one := lanes("{name: h1}, {name: h2}")
	two := lanes("{name: h1, weight: 1}, {name: h2, weight: 1}")
	if two["h1"] != one["h1"] || two["h2"] == two["h1"] {
		t.Errorf("%v became %v", one, two)
	}
	if drained := lanes("{name: h1}, {name: h2, weight: 1}"); drained["h2"] != two["h2"] || len(drained) != 1 {
		t.Errorf("%v became %v", two, drained)
	}
	three := lanes("{name: h3, weight: 5}, {name: h2, weight: 1}")
	if three["h2"] != two["h2"] || three["h3"] == two["h2"] {
		t.Errorf("%v became %v", two, three)
	}
	if gone := lanes("{name: h4}"); gone["h4"] != three["h3"] {
		t.Errorf("%v became %v: nothing of it was kept", three, gone)
	}
}

func TestRoutersAtGateways(t *testing.T) {
	s := outside(t)
	objects := commit(t, s, `{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue, red], gateways: [{name: edge}]}}`)
	first := objects[0].(*Router).Allocated
	a := first.Gateways[0]
	if a.Gateway != "edge" || a.ExternalNetwork != "internet" || a.VNI < firstAutoVNI || a.Zone == 0 || a.Zone > 65535 || fmt.Sprint(a.Addresses) != "[192.0.2.3]" {
		t.Fatalf("%+v", a)
	}
	// Whatever else changes, what was given out stays.
	objects = commit(t, s, `{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue], gateways: [{name: edge, destinations: [198.51.100.0/24]}]}}`)
	if now := objects[0].(*Router).Allocated; fmt.Sprint(now) != fmt.Sprint(first) {
		t.Errorf("%+v became %+v", first, now)
	}
	// A router whose networks all keep their addresses needs none.
	objects = commit(t, s, `{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue], gateways: [{name: edge, routedNetworks: [blue]}]}}`)
	if now := objects[0].(*Router).Allocated.Gateways[0]; len(now.Addresses) != 0 || now.VNI != a.VNI {
		t.Errorf("%+v", now)
	}
}

// However a set of changes is ordered, nobody gets a number of an object that is put
// again in it.
func TestKeptNumbersAreNotGivenOut(t *testing.T) {
	s := outside(t)
	commit(t, s, "{kind: ExternalNetwork, metadata: {name: internet}, spec: {physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24, pools: [192.0.2.2/31]}, {cidr: 10.0.0.0/8, pools: [10.0.0.0/8]}, {cidr: '2001:db8::/64'}]}}")
	change := func(tenant string, i int, label string) Change {
		r := &Router{Metadata: Metadata{Name: fmt.Sprintf("r%d", i), Tenant: tenant, Labels: map[string]string{"l": label}}}
		r.Spec.Gateways = []RouterGateway{{Name: "edge"}}
		return Change{Object: r}
	}
	var before, again []Change
	for i := range 1000 {
		before = append(before, change("acme", i, "a"))
	}
	for i := range 200 {
		again = append(again, change("other", i, "a"))
	}
	for i := range 1000 {
		again = append(again, change("acme", i, "b"))
	}
	for _, set := range [][]Change{before, again} {
		if _, err := s.Try(set, testEnv); err != nil {
			t.Fatal(err)
		}
	}
	zones, vnis, ids := map[uint32]Key{}, map[uint32]Key{}, map[uint32]Key{}
	for _, o := range s.List(KindRouter, "") {
		r := o.(*Router)
		if other, twice := ids[r.Allocated.ID]; twice {
			t.Errorf("%s has the id of %s", r.Key(), other)
		}
		ids[r.Allocated.ID] = r.Key()
		for _, a := range r.Allocated.Gateways {
			if other, twice := zones[a.Zone]; twice {
				t.Errorf("%s has the zone of %s", r.Key(), other)
			}
			if other, twice := vnis[a.VNI]; twice {
				t.Errorf("%s has the VNI of %s", r.Key(), other)
			}
			zones[a.Zone], vnis[a.VNI] = r.Key(), r.Key()
		}
	}
	// Nor can it be chosen; once it is given back, it can.
	r := s.Get(Key{KindRouter, "acme", "r7"}).(*Router)
	n := &Network{Metadata: Metadata{Name: "n", Tenant: "other"}, Spec: NetworkSpec{VNI: r.Allocated.Gateways[0].VNI}}
	_, err := s.Try([]Change{{Object: n}, change("acme", 7, "c")}, testEnv)
	var taken *ConflictError
	if !errors.As(err, &taken) || taken.Holder != r.Key() {
		t.Errorf("the VNI of a router that is put again: %v", err)
	}
	without := &Router{Metadata: Metadata{Name: "r7", Tenant: "acme"}}
	for _, set := range [][]Change{{{Object: without}}, {{Object: n}}} {
		if _, err := s.Try(set, testEnv); err != nil {
			t.Errorf("after it was given back: %v", err)
		}
	}
}

func TestFloatingIPs(t *testing.T) {
	s := outside(t)
	objects := commit(t, s, `
{kind: FloatingIP, metadata: {name: web, tenant: acme}, spec: {gateway: edge, endpoint: web1}}
---
{kind: FloatingIP, metadata: {name: six, tenant: acme}, spec: {gateway: edge, address: '2001:db8::50', endpoint: auto}}
---
{kind: FloatingIP, metadata: {name: kept, tenant: other}, spec: {gateway: edge, address: 192.0.2.200}}
`)
	web := objects[0].(*FloatingIP)
	if web.Allocated.Address != netip.MustParseAddr("192.0.2.3") || web.Inside(s.Get(web.Endpoints()[0]).(*Endpoint)) != netip.MustParseAddr("10.0.0.10") {
		t.Errorf("%+v", web.Allocated)
	}
	six := objects[1].(*FloatingIP)
	if in := six.Inside(s.Get(six.Endpoints()[0]).(*Endpoint)); !in.Is6() {
		t.Errorf("%s stands for %s", six.Allocated.Address, in)
	}
}

func TestExternalRefusals(t *testing.T) {
	for _, tc := range []struct{ what, doc, want string }{
		{"no such gateway", `{kind: Router, metadata: {name: r, tenant: acme}, spec: {gateways: [{name: nope}]}}`, `Router acme/r: spec.gateways[0].name: gateway "nope" does not exist; create it first`},
		{"no such external network", `{kind: Gateway, metadata: {name: g}, spec: {externalNetwork: nope, hosts: [{name: h1}]}}`, "spec.externalNetwork: external network nope does not exist"},
		{"moved to another external network", `{kind: ExternalNetwork, metadata: {name: two}, spec: {physicalNetwork: p, subnets: [{cidr: 198.51.100.0/24, pools: [198.51.100.0/24]}]}}
---
{kind: Gateway, metadata: {name: edge}, spec: {externalNetwork: two, hosts: [{name: h1}]}}`, "it cannot change, and it is internet"},
		{"an address of somebody else", `{kind: FloatingIP, metadata: {name: f, tenant: acme}, spec: {gateway: edge, address: 192.0.2.2}}`, "192.0.2.2 is taken in ExternalNetwork internet; choose another, or leave it out to have one allocated (held by Gateway edge)"},
		{"the next hop's address", `{kind: FloatingIP, metadata: {name: f, tenant: acme}, spec: {gateway: edge, address: 192.0.2.1}}`, "192.0.2.1 is a next hop of 192.0.2.0/24"},
		{"an address elsewhere", `{kind: FloatingIP, metadata: {name: f, tenant: acme}, spec: {gateway: edge, address: 203.0.113.1}}`, "203.0.113.1 is in no subnet of ExternalNetwork internet"},
		{"two floating IPs of one address", `{kind: FloatingIP, metadata: {name: f, tenant: acme}, spec: {gateway: edge, endpoint: web1}}
---
{kind: FloatingIP, metadata: {name: g, tenant: acme}, spec: {gateway: edge, endpoint: web1}}`, "10.0.0.10 of Endpoint acme/web1 has a floating IP already"},
		{"no such endpoint", `{kind: FloatingIP, metadata: {name: f, tenant: acme}, spec: {gateway: edge, ports: [{protocol: tcp, port: 80, endpoint: web1}, {protocol: tcp, port: 81, endpoint: nope}]}}`, "spec.ports[1].endpoint: Endpoint acme/nope does not exist"},
		{"an endpoint without IPv6", `{kind: Endpoint, metadata: {name: four, tenant: acme}, spec: {network: red}}
---
{kind: FloatingIP, metadata: {name: f, tenant: acme}, spec: {gateway: edge, address: '2001:db8::7', endpoint: four}}`, "Endpoint acme/four has no IPv6 address"},
		{"not its address", `{kind: FloatingIP, metadata: {name: f, tenant: acme}, spec: {gateway: edge, endpoint: web1, endpointAddress: 10.0.0.99}}`, "10.0.0.99 is none of the addresses of Endpoint acme/web1"},
		{"a subnet that is in use goes", `{kind: ExternalNetwork, metadata: {name: internet}, spec: {physicalNetwork: physnet1, subnets: [{cidr: 198.51.100.0/24}]}}`, "192.0.2.2 is in no subnet of ExternalNetwork internet, and it is given out"},
		{"two default routes", `{kind: Router, metadata: {name: r, tenant: acme}, spec: {networks: [overlap], staticRoutes: [{destination: 0.0.0.0/0, nextHop: 10.0.0.140}], gateways: [{name: edge}]}}`, "0.0.0.0/0 is a destination of spec.staticRoutes[0] already"},
		{"pools are used up", `{kind: FloatingIP, metadata: {name: f1, tenant: acme}, spec: {gateway: edge}}
---
{kind: FloatingIP, metadata: {name: f2, tenant: acme}, spec: {gateway: edge}}
---
{kind: FloatingIP, metadata: {name: f3, tenant: acme}, spec: {gateway: edge}}
---
{kind: FloatingIP, metadata: {name: f4, tenant: acme}, spec: {gateway: edge}}
---
{kind: FloatingIP, metadata: {name: f5, tenant: acme}, spec: {gateway: edge}}
---
{kind: FloatingIP, metadata: {name: f6, tenant: acme}, spec: {gateway: edge}}`, "all IPv4 addresses in the pools of ExternalNetwork internet are taken"},
		{"no pools", `{kind: ExternalNetwork, metadata: {name: bare}, spec: {physicalNetwork: p, subnets: [{cidr: 198.51.100.0/24}]}}
---
{kind: Gateway, metadata: {name: g}, spec: {externalNetwork: bare, hosts: [{name: h1}]}}`, "a gateway needs an address of its own"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s := outside(t)
			before := snapshot(s)
			_, err := s.Try(toChanges(t, tc.doc), testEnv)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v\nwant  %s", err, tc.want)
			}
			if snapshot(s) != before {
				t.Error("it left a trace")
			}
		})
	}
}

func TestExternalReferences(t *testing.T) {
	s := outside(t)
	commit(t, s, `
{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue], gateways: [{name: edge}]}}
---
{kind: FloatingIP, metadata: {name: web, tenant: acme}, spec: {gateway: edge, ports: [{protocol: tcp, port: 80, endpoint: web1}]}}
`)
	for key, want := range map[Key]string{
		{Kind: KindExternalNetwork, Name: "internet"}:      "[Gateway edge]",
		{Kind: KindGateway, Name: "edge"}:                  "[FloatingIP acme/web Router acme/core]",
		{Kind: KindEndpoint, Tenant: "acme", Name: "web1"}: "[FloatingIP acme/web]",
	} {
		_, err := s.Try([]Change{{Op: OpDelete, Key: key}}, testEnv)
		var ref *ReferencedError
		if !errors.As(err, &ref) || fmt.Sprint(ref.By) != want {
			t.Errorf("deleting %s: %v", key, err)
		}
	}
}

func TestAddressRange(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.10-192.0.2.50": "192.0.2.10-192.0.2.50", "192.0.2.64/30": "192.0.2.64-192.0.2.67", "192.0.2.9": "192.0.2.9",
		"2001:db8::1 - 2001:db8::f": "2001:db8::1-2001:db8::f", "192.0.2.50-192.0.2.10": "", "192.0.2.1-2001:db8::1": "", "192.0.2.1/24": "", "": "", "x": "",
	} {
		r, err := ParseAddressRange(in)
		if r.String() != want || (err == nil) != (want != "") {
			t.Errorf("%q is %s, %v", in, r, err)
		}
	}
}

// Routers are spread by weight, and hardly any moves when a host comes.
func TestLanes(t *testing.T) {
	g := &Gateway{Spec: GatewaySpec{Hosts: []GatewayHost{{"a", 1}, {"standby", 0}, {"b", 3}}}}
	const n = 20_000
	count := map[string]int{}
	moved := 0
	more := &Gateway{Spec: GatewaySpec{Hosts: append(g.Spec.Hosts, GatewayHost{"c", 4})}}
	for id := range uint32(n) {
		host := g.Order(g.Lane(id))[0]
		count[host]++
		if now := more.Order(more.Lane(id))[0]; now != host {
			moved++
			if now != "c" {
				t.Fatalf("router %d moved from %s to %s", id, host, now)
			}
		}
	}
	if share := float64(count["b"]) / n; math.Abs(share-0.75) > 0.02 || count["standby"] != 0 {
		t.Errorf("%v", count)
	}
	if share := float64(moved) / n; math.Abs(share-0.5) > 0.02 {
		t.Errorf("%d of %d moved", moved, n)
	}
	if got := fmt.Sprint(g.Order(1)); got != "[b a standby]" {
		t.Errorf("order %s", got)
	}
	ordered := &Gateway{Spec: GatewaySpec{Hosts: []GatewayHost{{"a", 0}, {"b", 0}}}}
	if len(ordered.laneHosts()) != 1 || ordered.Lane(7) != 0 || fmt.Sprint(ordered.Order(0)) != "[a b]" {
		t.Error("an ordered gateway")
	}
}
