package topology

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// Random changes of nothing but what is routed outside, most of them valid by
// themselves: what is accepted holds together, in the indexes of a follower too.
func TestRandomRoutedSubnets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, follower := NewState(), NewState()
		objects, err := DecodeManifest([]byte(`
{kind: Tenant, metadata: {name: a}}
---
{kind: Tenant, metadata: {name: b}}
---
{kind: ExternalNetwork, metadata: {name: p}, spec: {physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24, pools: [192.0.2.0/24]}]}}
---
{kind: ExternalNetwork, metadata: {name: q}, spec: {physicalNetwork: q, subnets: [{cidr: 192.0.2.0/24, pools: [192.0.2.0/24]}]}}
---
{kind: Gateway, metadata: {name: p}, spec: {externalNetwork: p, hosts: [{name: h1}]}}
---
{kind: Gateway, metadata: {name: p2}, spec: {externalNetwork: p, hosts: [{name: h1}]}}
---
{kind: Gateway, metadata: {name: q}, spec: {externalNetwork: q, hosts: [{name: h1}]}}
`))
		var changes []Change
		for _, tenant := range []string{"a", "b"} {
			for _, name := range []string{"x", "z"} {
				n := &Network{Metadata: Metadata{Name: name, Tenant: tenant}}
				n.Spec.Subnets = []Subnet{{CIDR: netip.MustParsePrefix("10.0.0.0/24")}}
				objects = append(objects, n)
			}
		}
		for _, o := range objects {
			changes = append(changes, Change{Object: o})
		}
		for range rapid.IntRange(1, 30).Draw(t, "sets") {
			d, tryErr := s.Try(changes, testEnv)
			if err != nil {
				t.Fatal(err)
			}
			if tryErr == nil {
				for _, e := range d.Edits {
					if e.After != nil {
						e.After.Meta().Revision = 1
					}
				}
				follower.Apply(d.Edits)
				if a, b := snapshot(s), snapshot(follower); a != b {
					t.Fatalf("the edits lead elsewhere:\n%s\nwant:\n%s", b, a)
				}
				check(t, s)
			}
			changes = rapid.SliceOfN(rapid.Custom(drawRouted), 1, 3).Draw(t, "changes")
		}
	})
}

func drawRouted(t *rapid.T) Change {
	one := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	some := func(label string, least int, of ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), least, 2, rapid.ID).Draw(t, label)
	}
	meta := Metadata{Name: one("name", "x", "z"), Tenant: one("tenant", "a", "b")}
	prefixes := []string{"10.0.0.0/24", "10.0.0.128/25", "fd00::/64", "fd00::/62"}
	var o Object
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		n := &Network{Metadata: meta}
		for _, p := range some("subnets", 0, prefixes...) {
			n.Spec.Subnets = append(n.Spec.Subnets, Subnet{CIDR: netip.MustParsePrefix(p)})
		}
		return Change{Object: n}
	case 1:
		x := &ExternalNetwork{Metadata: Metadata{Name: one("external network", "p", "q")}}
		x.Spec.PhysicalNetwork = x.Metadata.Name
		for _, p := range append(some("outside", 0, prefixes...), "192.0.2.0/24") {
			r, err := ParseAddressRange(p)
			if err != nil {
				t.Fatal(err)
			}
			sub := ExternalSubnet{CIDR: netip.MustParsePrefix(p)}
			if p == "192.0.2.0/24" {
				sub.Pools = []AddressRange{r}
			}
			x.Spec.Subnets = append(x.Spec.Subnets, sub)
		}
		return Change{Object: x}
	case 2:
		a := netip.MustParsePrefix(one("address", prefixes...)).Addr()
		v := &Service{Metadata: meta, Spec: ServiceSpec{Gateway: one("gateway", "p", "p2", "q"), Address: atOffset(netip.PrefixFrom(a, 8), 200), Ports: []ServicePort{{"udp", 53}}}}
		if a.Is4() {
			v.Spec.InsideAddress = netip.AddrFrom4([4]byte{172, 16, 0, 1})
		}
		o = v
	default:
		r := &Router{Metadata: meta, Spec: RouterSpec{Networks: some("networks", 0, "x", "z")}}
		for i, g := range some("gateways", 0, "p", "p2", "q") {
			at := RouterGateway{Name: g}
			if i > 0 {
				at.Destinations = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
			}
			if len(r.Spec.Networks) > 0 && rapid.Bool().Draw(t, "routed") {
				at.RoutedNetworks = r.Spec.Networks
			}
			r.Spec.Gateways = append(r.Spec.Gateways, at)
		}
		o = r
	}
	if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
		return Change{Op: OpDelete, Key: o.Key()}
	}
	return Change{Object: o}
}
