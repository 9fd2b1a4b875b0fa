package topology

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var testEnv = Env{Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Random: counter()}

func counter() func() uint64 {
	n := uint64(100)
	return func() uint64 { n += 2; return n }
}

// world is a State with what most cases need. Every object's revision is 1.
func world(t testing.TB) *State {
	t.Helper()
	s := NewState()
	commit(t, s, `
kind: Tenant
metadata: {name: acme}
---
kind: Tenant
metadata: {name: other}
---
kind: Network
metadata: {name: blue, tenant: acme}
spec: {vni: 100, subnets: [{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}]}
---
kind: Network
metadata: {name: red, tenant: acme}
spec: {subnets: [{cidr: 10.1.0.0/24, gateway: 10.1.0.254}]}
---
kind: Network
metadata: {name: overlap, tenant: acme}
spec: {subnets: [{cidr: 10.0.0.128/25}]}
---
kind: Network
metadata: {name: flat, tenant: acme}
---
kind: Router
metadata: {name: core, tenant: acme}
spec: {networks: [blue, red], staticRoutes: [{destination: 192.168.0.0/16, nextHop: 10.0.0.5}]}
---
kind: Endpoint
metadata: {name: web1, tenant: acme}
spec: {network: blue, addresses: [10.0.0.10], mac: '02:00:00:00:00:10', interfaceID: uuid-1}
---
kind: Endpoint
metadata: {name: auto, tenant: acme}
spec: {network: blue}
---
kind: Host
metadata: {name: h1}
`)
	s.PutBinding(&Binding{Endpoint: Key{KindEndpoint, "acme", "web1"}, Host: "h1", Port: "p", OFPort: 1})
	return s
}

func toChanges(t testing.TB, manifest string) []Change {
	t.Helper()
	var changes []Change
	for doc := range strings.SplitSeq(manifest, "---\n") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(doc), "delete "); ok {
			k, err := ParseKey(name)
			if err != nil {
				t.Fatal(err)
			}
			changes = append(changes, Change{Op: OpDelete, Key: k})
			continue
		}
		o := decodeOne(t, doc)
		changes = append(changes, Change{Key: o.Key(), Object: o})
	}
	return changes
}

// commit applies a manifest, in which "delete Kind tenant/name" deletes, for good.
func commit(t testing.TB, s *State, manifest string) []Object {
	t.Helper()
	d, err := s.Try(toChanges(t, manifest), testEnv)
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, manifest)
	}
	for _, e := range d.Edits {
		if e.After != nil {
			e.After.Meta().Revision = 1
		}
	}
	return d.Objects
}

func TestCrossObjectErrors(t *testing.T) {
	ep := func(name, spec string) string {
		return "{kind: Endpoint, metadata: {name: " + name + ", tenant: acme}, spec: {" + spec + "}}"
	}
	for _, tc := range []struct {
		manifest string
		want     string // "" if it is valid; else a part of the error
	}{
		{"{kind: Network, metadata: {name: net, tenant: nobody}}", "metadata.tenant: tenant nobody does not exist"},
		{ep("x", "network: nowhere"), "spec.network: Network acme/nowhere does not exist"},
		{ep("x", "network: blue, addresses: [10.9.0.1]"), "spec.addresses[0]: 10.9.0.1 is in no subnet of Network acme/blue; choose an address in 10.0.0.0/24, fd00::/64"},
		{ep("x", "network: blue, addresses: [10.0.0.0]"), "network address"},
		{ep("x", "network: blue, addresses: [10.0.0.255]"), "broadcast address"},
		{ep("x", "network: blue, addresses: [10.0.0.1]"), "gateway of 10.0.0.0/24"},
		{ep("x", "network: blue, addresses: ['fd00::']"), "anycast"},
		{ep("x", "network: blue, addresses: [10.0.0.10]"), "spec.addresses[0]: 10.0.0.10 is taken in Network acme/blue; choose another, or leave addresses out to have one allocated (held by Endpoint acme/web1)"},
		{ep("x", "network: blue, mac: '02:00:00:00:00:10'"), "spec.mac: 02:00:00:00:00:10 is taken in Network acme/blue"},
		{ep("x", "network: red, mac: '02:00:00:00:00:10'"), ""},
		{ep("x", "network: red, interfaceID: uuid-1"), `interface id "uuid-1" is taken; choose another (held by Endpoint acme/web1)`},
		{ep("x", "network: red, interfaceID: acme/auto"), "held by Endpoint acme/auto"},
		{ep("x", "network: flat"), ""},
		{ep("x", "network: flat, addresses: [10.0.0.5]"), "has no subnets"},

		{"{kind: Network, metadata: {name: net, tenant: other}, spec: {vni: 100}}", "spec.vni: VNI 100 is taken; choose another, or leave it out to have one allocated (held by Network acme/blue)"},
		{"{kind: Network, metadata: {name: blue, tenant: acme}, spec: {vni: 101, subnets: [{cidr: 10.0.0.0/24}]}}", "the VNI of a network cannot change, and it is 100"},
		{"{kind: Network, metadata: {name: blue, tenant: acme}, spec: {subnets: [{cidr: 10.0.0.0/29}, {cidr: 'fd00::/64'}]}}", "spec.subnets: without a subnet that holds it, address 10.0.0.10 is lost; delete the endpoint or give it another address first (held by Endpoint acme/web1)"},
		{"{kind: Network, metadata: {name: blue, tenant: acme}, spec: {subnets: [{cidr: 10.0.0.0/24}]}}", "address fd00::2 is lost"},
		{"{kind: Network, metadata: {name: blue, tenant: acme}, spec: {subnets: [{cidr: 10.0.0.0/23}, {cidr: 'fd00::/64'}]}}", ""},
		{"{kind: Network, metadata: {name: blue, tenant: acme}, spec: {subnets: [{cidr: 10.0.0.0/24, gateway: 10.0.0.10}, {cidr: 'fd00::/64'}]}}", "spec.subnets[0].gateway: 10.0.0.10 is the address of an endpoint; choose another gateway, or give the endpoint another address (held by Endpoint acme/web1)"},
		{"{kind: Network, metadata: {name: red, tenant: acme}, spec: {subnets: [{cidr: 10.0.0.0/25}]}}", "on Router acme/core, subnet 10.0.0.0/25 of network red overlaps subnet 10.0.0.0/24 of network blue"},
		{"{kind: Network, metadata: {name: red, tenant: acme}, spec: {subnets: [{cidr: 192.168.0.0/16}]}}", "static route 0 of Router acme/core, to 192.168.0.0/16, would not fit"},

		{"{kind: Router, metadata: {name: r, tenant: acme}, spec: {networks: [nowhere]}}", "spec.networks[0]: Network acme/nowhere does not exist"},
		{"{kind: Router, metadata: {name: r, tenant: acme}, spec: {networks: [flat, red]}}", "spec.networks[1]: Network acme/red is joined to another router; a network has one router (held by Router acme/core)"},
		{"{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [overlap, blue]}}", "spec.networks[1]: on Router acme/core, subnet 10.0.0.0/24 of network blue overlaps subnet 10.0.0.128/25 of network overlap"},
		{"{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [red], staticRoutes: [{destination: 0.0.0.0/0, nextHop: 10.0.0.5}]}}", "spec.staticRoutes[0].nextHop: 10.0.0.5 is in no subnet"},
		{"{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [red], staticRoutes: [{destination: 0.0.0.0/0, nextHop: 10.1.0.254}]}}", "is the gateway of 10.1.0.0/24, which is the router itself"},
		{"{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [red], staticRoutes: [{destination: 0.0.0.0/0, nextHop: 10.1.0.255}]}}", "broadcast"},
		{"{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [red], staticRoutes: [{destination: 10.1.0.0/25, nextHop: 10.1.0.5}]}}", "spec.staticRoutes[0].destination: 10.1.0.0/25 is in subnet 10.1.0.0/24 of network red"},
		{"{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [red], staticRoutes: [{destination: 10.0.0.0/8, nextHop: 10.1.0.5}]}}", ""},

		{"delete Tenant acme", "Tenant acme is still referenced by Endpoint acme/auto, Endpoint acme/web1, Network acme/blue"},
		{"delete Tenant other", ""},
		{"delete Network acme/blue", "Network acme/blue is still referenced by Endpoint acme/auto, Endpoint acme/web1, Router acme/core"},
		{"delete Network acme/red", "referenced by Router acme/core"},
		{"delete Network acme/flat", ""},
		{"delete Host h1", "Host h1 is still referenced by Endpoint acme/web1"},
		{"delete Host h1\n---\ndelete Endpoint acme/web1", ""},
		{"delete Endpoint acme/nobody", "Endpoint acme/nobody does not exist"},
		{"delete Tenant other\n---\n{kind: Network, metadata: {name: net, tenant: other}}", "tenant other does not exist"},
		{"delete Network acme/flat\n---\n" + ep("x", "network: flat"), "does not exist"},
		{"delete Network acme/flat\n---\ndelete Network acme/flat", "twice"},

		// What is given up in a set of changes can be taken in it, in any order.
		{ep("x", "network: blue, addresses: [10.0.0.10], mac: '02:00:00:00:00:10', interfaceID: uuid-1") + "\n---\ndelete Endpoint acme/web1", ""},
		{"{kind: Router, metadata: {name: r, tenant: acme}, spec: {networks: [red]}}\n---\n{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue]}}", ""},
		{"{kind: Network, metadata: {name: net, tenant: other}, spec: {vni: 100}}\n---\ndelete Network acme/blue\n---\ndelete Endpoint acme/web1\n---\ndelete Endpoint acme/auto\n---\ndelete Router acme/core", ""},
		{"{kind: Network, metadata: {name: red, tenant: acme}, spec: {subnets: [{cidr: 10.0.0.0/25}]}}\n---\n{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue]}}", ""},
		{ep("web1", "network: red") + "\n---\n" + ep("auto", "network: red") + "\n---\n{kind: Network, metadata: {name: blue, tenant: acme}}\n---\ndelete Router acme/core", ""},
	} {
		s := world(t)
		before := snapshot(s)
		d, err := s.Try(toChanges(t, tc.manifest), testEnv)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s\n\t%v", tc.manifest, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s\n\terror %v\n\twant  %s", tc.manifest, err, tc.want)
		}
		if d != nil {
			d.Undo()
		}
		if after := snapshot(s); after != before {
			t.Errorf("%s\n\tnot undone:\n%s\nbefore:\n%s", tc.manifest, after, before)
		}
	}
}

func TestPreconditions(t *testing.T) {
	rev := func(n int64) *int64 { return &n }
	put := func(name string, r *int64) Change {
		return Change{Object: &Tenant{Metadata: Metadata{Name: name}}, IfRevision: r}
	}
	del := func(name string, r *int64) Change {
		return Change{Op: OpDelete, Key: Key{Kind: KindTenant, Name: name}, IfRevision: r}
	}
	for _, tc := range []struct {
		change Change
		want   error
	}{
		{put("new", rev(0)), nil},
		{put("other", rev(0)), &ExistsError{}},
		{put("other", rev(1)), nil},
		{put("other", rev(7)), &StaleError{}},
		{put("new", rev(7)), &NotFoundError{}},
		{del("other", rev(1)), nil},
		{del("other", rev(7)), &StaleError{}},
		{del("new", nil), &NotFoundError{}},
	} {
		_, err := world(t).Try([]Change{tc.change}, testEnv)
		if fmt.Sprintf("%T", err) != fmt.Sprintf("%T", tc.want) {
			t.Errorf("%+v: %T %v, want %T", tc.change, err, err, tc.want)
		}
	}
	wrong := Change{Key: Key{Kind: KindTenant, Name: "a"}, Object: &Tenant{Metadata: Metadata{Name: "b"}}}
	var inv *InvalidError
	if _, err := world(t).Try([]Change{wrong}, testEnv); !errors.As(err, &inv) {
		t.Errorf("a key that is not the object's: %v", err)
	}
}
