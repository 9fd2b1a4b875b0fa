package topology

import (
	"fmt"
	"net/netip"
	"testing"
)

// routed is an outside with another external network, and two tenants with a router
// each: acme's core routes blue (IPv4 and IPv6) by the gateway edge to the external
// network internet, and translates red; other's core routes far.
func routed(t testing.TB) *State {
	t.Helper()
	s := outside(t)
	commit(t, s, `
{kind: Gateway, metadata: {name: spare}, spec: {externalNetwork: internet, hosts: [{name: h1}], addresses: [192.0.2.66]}}
---
{kind: ExternalNetwork, metadata: {name: lan}, spec: {physicalNetwork: physnet1, vlan: 101, subnets: [{cidr: 198.51.100.0/24, pools: [198.51.100.0/24]}]}}
---
{kind: Gateway, metadata: {name: lan}, spec: {externalNetwork: lan, hosts: [{name: h1}]}}
---
{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue, red], gateways: [{name: edge, routedNetworks: [blue]}]}}
---
{kind: Network, metadata: {name: far, tenant: other}, spec: {subnets: [{cidr: 10.9.0.0/24}, {cidr: 'fd00:9::/64'}]}}
---
{kind: Network, metadata: {name: n4, tenant: other}, spec: {subnets: [{cidr: 10.0.0.128/25}]}}
---
{kind: Network, metadata: {name: n6, tenant: other}, spec: {subnets: [{cidr: 'fd00::/48'}]}}
---
{kind: Router, metadata: {name: core, tenant: other}, spec: {networks: [far], gateways: [{name: edge, routedNetworks: [far]}]}}
---
{kind: Service, metadata: {name: web, tenant: acme}, spec: {gateway: spare, address: 10.7.0.80, insideAddress: 172.16.0.80, ports: [{protocol: tcp, port: 80}]}}
`)
	return s
}

func TestRoutedSubnets(t *testing.T) {
	r := func(networks, gateways string) string {
		return "{kind: Router, metadata: {name: r, tenant: other}, spec: {networks: [" + networks + "], gateways: [" + gateways + "]}}"
	}
	n := func(tenant, name, cidrs string) string {
		return "{kind: Network, metadata: {name: " + name + ", tenant: " + tenant + "}, spec: {subnets: [" + cidrs + "]}}"
	}
	ext := func(subnets string) string {
		return "{kind: ExternalNetwork, metadata: {name: internet}, spec: {physicalNetwork: physnet1, vlan: 100, subnets: [{cidr: 192.0.2.0/24, pools: [192.0.2.0/24]}, {cidr: '2001:db8::/64', pools: ['2001:db8::2-2001:db8::9']}" + subnets + "]}}"
	}
	const (
		core   = "{kind: Router, metadata: {name: core, tenant: acme}, spec: "
		farV4  = "{cidr: 10.9.0.0/24}"
		farV6  = "{cidr: 'fd00:9::/64'}"
		coreIs = core + "{networks: [blue, red], gateways: [{name: edge, routedNetworks: [blue]}]}}"
	)
	for _, tc := range []struct{ what, doc, want string }{
		// From the side of the router.
		{"IPv4 of another tenant", r("n4", "{name: lan}, {name: edge, destinations: [203.0.113.0/24], routedNetworks: [n4]}"),
			"Router other/r: spec.gateways[1].routedNetworks[0]: subnet 10.0.0.128/25 of network n4, joined by Router other/r, keeps its addresses in external network internet, and overlaps 10.0.0.0/24 of Network acme/blue, which Router acme/core routes there; give one of the networks another subnet, or leave it out of routedNetworks (held by Network acme/blue)"},
		{"IPv4, translated", r("n4", "{name: edge}"), ""},
		{"IPv4 that is translated there", "{kind: Network, metadata: {name: nat, tenant: other}, spec: {subnets: [{cidr: 10.1.0.0/24}]}}\n---\n" + r("nat", "{name: edge, routedNetworks: [nat]}"), ""},
		{"IPv6 of another tenant", r("n6", "{name: edge}"),
			"Router other/r: spec.gateways[0]: subnet fd00::/48 of network n6, joined by Router other/r, keeps its addresses in external network internet, and overlaps fd00::/64 of Network acme/blue, which Router acme/core routes there; give one of the networks another subnet (held by Network acme/blue)"},
		{"IPv6, for services only", r("n6", "{name: edge, servicesOnly: true}"), "overlaps fd00::/64 of Network acme/blue"},
		{"IPv6, by another gateway", r("n6", "{name: spare}"), "overlaps fd00::/64 of Network acme/blue"},
		{"at another external network", r("n4, n6", "{name: lan, routedNetworks: [n4]}"), ""},
		{"of the same tenant", "{kind: Router, metadata: {name: r, tenant: acme}, spec: {networks: [overlap], gateways: [{name: edge, routedNetworks: [overlap]}]}}", "overlaps 10.0.0.0/24 of Network acme/blue"},
		{"two at once", n("acme", "a", "{cidr: 'fd00:a::/64'}") + "\n---\n" + n("other", "b", "{cidr: 'fd00:a::/32'}") + "\n---\n" + r("b", "{name: spare}") + "\n---\n{kind: Router, metadata: {name: r, tenant: acme}, spec: {networks: [a], gateways: [{name: edge}]}}",
			"Router acme/r: spec.gateways[0]: subnet fd00:a::/64 of network a"},
		{"again", coreIs, ""},
		{"disconnected in the same set", r("n4, n6", "{name: edge, routedNetworks: [n4]}") + "\n---\n" + core + "{networks: [blue, red]}}", ""},
		{"translated in the same set", r("n4", "{name: edge, routedNetworks: [n4]}") + "\n---\n" + core + "{networks: [blue, red], gateways: [{name: edge}]}}", ""},
		{"not joined any more in the same set", r("n4, n6", "{name: edge, routedNetworks: [n4]}") + "\n---\n" + core + "{networks: [red], gateways: [{name: edge}]}}", ""},
		{"reconnected elsewhere in the same set", r("n4, n6", "{name: edge, routedNetworks: [n4]}") + "\n---\n" + core + "{networks: [blue, red], gateways: [{name: lan, routedNetworks: [blue]}]}}", ""},
		{"reconnected to another gateway of the same", r("n4", "{name: edge, routedNetworks: [n4]}") + "\n---\n" + core + "{networks: [blue, red], gateways: [{name: spare, routedNetworks: [blue]}]}}", "overlaps 10.0.0.128/25 of Network other/n4"},
		{"another router of the tenant takes the network over", core + "{networks: [red]}}\n---\n{kind: Router, metadata: {name: r, tenant: acme}, spec: {networks: [blue], gateways: [{name: spare, routedNetworks: [blue]}]}}", ""},

		// From that of the network.
		{"a network gets an IPv4 subnet", n("acme", "blue", "{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}, {cidr: 10.9.0.64/26}"),
			"Network acme/blue: spec.subnets: subnet 10.9.0.64/26 of network blue, joined by Router acme/core, keeps its addresses in external network internet, and overlaps 10.9.0.0/24 of Network other/far, which Router other/core routes there; give one of the networks another subnet, or leave it out of routedNetworks (held by Network other/far)"},
		{"a network that is translated does", n("acme", "red", "{cidr: 10.1.0.0/24, gateway: 10.1.0.254}, {cidr: 10.9.0.64/26}"), ""},
		{"a network that is translated gets an IPv6 subnet", n("acme", "red", "{cidr: 10.1.0.0/24, gateway: 10.1.0.254}, {cidr: 'fd00:9::/48'}"), "Network acme/red: spec.subnets: subnet fd00:9::/48 of network red"},
		{"subnets change hands", n("acme", "red", "{cidr: 10.1.0.0/24}, "+farV6) + "\n---\n" + n("other", "far", farV4), ""},
		{"a network that is not joined", n("acme", "flat", farV4+", "+farV6), ""},

		// The external network's own subnets.
		{"a network in a subnet outside", n("other", "far", farV4+", {cidr: '2001:db8::8000:0:0:0/66'}"),
			"Network other/far: spec.subnets: subnet 2001:db8:0:0:8000::/66 of network far, joined by Router other/core, keeps its addresses in external network internet, and overlaps 2001:db8::/64, a subnet of that; give the network another subnet (held by ExternalNetwork internet)"},
		{"a router of one", n("other", "out", "{cidr: 192.0.0.0/16}") + "\n---\n" + r("out", "{name: edge, routedNetworks: [out]}"),
			"Router other/r: spec.gateways[0].routedNetworks[0]: subnet 192.0.0.0/16 of network out, joined by Router other/r, keeps its addresses in external network internet, and overlaps 192.0.2.0/24, a subnet of that; give the network another subnet, or leave it out of routedNetworks (held by ExternalNetwork internet)"},
		{"translated, inside routes the subnet by itself", n("other", "out", "{cidr: 192.0.0.0/16}") + "\n---\n" + r("out", "{name: edge}"), ""},
		{"a new subnet outside", ext(", {cidr: 10.0.0.0/16}"),
			"ExternalNetwork internet: spec.subnets[2].cidr: 10.0.0.0/16 overlaps subnet 10.0.0.0/24 of Network acme/blue, which Router acme/core routes there with its own addresses; choose another, or disconnect the router first (held by Network acme/blue)"},
		{"a new subnet outside that is translated", ext(", {cidr: 10.1.0.0/16}"), ""},
		{"it changes hands", ext(", {cidr: 10.0.0.0/16}") + "\n---\n" + core + "{networks: [red], gateways: [{name: edge}]}}", ""},
		// Addresses outside are all in its subnets, so that they are none that is routed.
		{"a floating IP that is routed", "{kind: FloatingIP, metadata: {name: f, tenant: acme}, spec: {gateway: edge, address: 10.0.0.77}}", "10.0.0.77 is in no subnet of ExternalNetwork internet"},
		{"a gateway's address that is", "{kind: Gateway, metadata: {name: spare}, spec: {externalNetwork: internet, hosts: [{name: h1}], addresses: [10.0.0.77]}}", "10.0.0.77 is in no subnet of ExternalNetwork internet"},
		{"a router's address that is", core + "{networks: [blue, red], gateways: [{name: edge, routedNetworks: [blue], addresses: [10.0.0.77]}]}}", "10.0.0.77 is in no subnet of ExternalNetwork internet"},

		// Services there.
		{"a network that holds a service", n("acme", "blue", "{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}, {cidr: 10.7.0.0/24}"),
			"Network acme/blue: spec.subnets: subnet 10.7.0.0/24 of network blue, joined by Router acme/core, keeps its addresses in external network internet, and holds 10.7.0.80, which is the address of a service there; give the network another subnet, or leave it out of routedNetworks (held by Service acme/web)"},
		{"that of another tenant", n("other", "far", "{cidr: 10.7.0.0/24}"), ""},
		{"translated", n("acme", "red", "{cidr: 10.7.0.0/24}"), ""},
		{"a service in a network", serviceSpec("x", "gateway: spare, address: 'fd00::80', ports: [{protocol: tcp, port: 80}]"),
			"Service acme/x: spec.address: fd00::80 is in subnet fd00::/64 of Network acme/blue, which Router acme/core routes in external network internet with its own addresses, so that packets would not get to a service there; choose an address outside (held by Network acme/blue)"},
		{"in one that is translated", serviceSpec("x", "gateway: spare, address: 10.1.0.80, ports: [{protocol: tcp, port: 80}]"), ""},
		{"in one of another tenant", serviceSpec("x", "gateway: spare, address: 'fd00:9::80', ports: [{protocol: tcp, port: 80}]"), ""},
		{"at another external network", serviceSpec("x", "gateway: lan, address: 'fd00::80', ports: [{protocol: tcp, port: 80}]"), ""},
		{"instead of the network", serviceSpec("x", "gateway: spare, address: 10.0.0.80, ports: [{protocol: tcp, port: 80}]") + "\n---\n" + core + "{networks: [blue, red], gateways: [{name: edge}]}}", ""},

		// One router at two gateways of one external network.
		{"one router, two gateways, IPv6", core + "{networks: [blue, red], gateways: [{name: edge, routedNetworks: [blue]}, {name: spare, servicesOnly: true}]}}",
			"Router acme/core: spec.gateways[1]: subnet fd00::/64 of network blue, joined by Router acme/core, keeps its addresses in external network internet, there already, by gateway edge; disconnect Router acme/core from one of the two gateways (held by Gateway edge)"},
		{"one router, two gateways, IPv4", r("n4", "{name: lan, routedNetworks: [n4]}, {name: spare, destinations: [203.0.113.0/24], routedNetworks: [n4]}, {name: edge, destinations: [203.0.114.0/24], routedNetworks: [n4]}") + "\n---\n" + core + "{networks: []}}",
			"Router other/r: spec.gateways[2].routedNetworks[0]: subnet 10.0.0.128/25 of network n4, joined by Router other/r, keeps its addresses in external network internet, there already, by gateway spare; disconnect Router other/r from one of the two gateways, or leave it out of routedNetworks at one (held by Gateway spare)"},
		{"translated at both", core + "{networks: [red], gateways: [{name: edge}, {name: spare, destinations: [203.0.113.0/24]}]}}", ""},
		{"routed at one", core + "{networks: [red], gateways: [{name: edge}, {name: spare, destinations: [203.0.113.0/24], routedNetworks: [red]}]}}", ""},
		{"by two external networks", core + "{networks: [blue, red], gateways: [{name: edge, routedNetworks: [blue]}, {name: lan, servicesOnly: true}]}}", ""},
	} {
		try(t, routed(t), tc.what, tc.doc, tc.want)
	}
}

// A router that translates at two gateways of one external network cannot get IPv6.
func TestNetworkOfARouterAtTwoGateways(t *testing.T) {
	s := routed(t)
	commit(t, s, "{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [red], gateways: [{name: edge}, {name: spare, servicesOnly: true}]}}")
	try(t, s, "IPv6", "{kind: Network, metadata: {name: red, tenant: acme}, spec: {subnets: [{cidr: 10.1.0.0/24}, {cidr: 'fd00:1::/64'}]}}",
		"Network acme/red: spec.subnets: subnet fd00:1::/64 of network red, joined by Router acme/core, keeps its addresses in external network internet, there already, by gateway edge")
	try(t, s, "IPv4", "{kind: Network, metadata: {name: red, tenant: acme}, spec: {subnets: [{cidr: 10.1.0.0/24}, {cidr: 10.2.0.0/24}]}}", "")
}

func TestExternalNetworksHaveWiresOfTheirOwn(t *testing.T) {
	ext := func(name, physical string, vlan int) string {
		return fmt.Sprintf("{kind: ExternalNetwork, metadata: {name: %s}, spec: {physicalNetwork: %s, vlan: %d, subnets: [{cidr: 203.0.113.0/24}]}}", name, physical, vlan)
	}
	s := routed(t)
	try(t, s, "one VLAN", ext("x", "physnet1", 101),
		"ExternalNetwork x: spec.vlan: VLAN 101 of physical network physnet1 is another external network's already, and hosts could not tell their packets apart; choose another VLAN, or make one external network with the subnets of both (held by ExternalNetwork lan)")
	try(t, s, "untagged", ext("x", "physnet1", 0), "")
	try(t, s, "untagged twice", ext("x", "physnet1", 0)+"\n---\n"+ext("z", "physnet1", 0), "spec.vlan: untagged traffic of physical network physnet1")
	try(t, s, "another physical network", ext("x", "physnet2", 101), "")
	try(t, s, "another VLAN makes room", ext("x", "physnet1", 101)+"\n---\n{kind: ExternalNetwork, metadata: {name: lan}, spec: {physicalNetwork: physnet1, vlan: 102, subnets: [{cidr: 198.51.100.0/24}]}}", "")
}

// The edit of a network says whether its subnets were compared with those of other
// tenants.
func TestEditsOutside(t *testing.T) {
	s := routed(t)
	for doc, want := range map[string]bool{
		"{kind: Network, metadata: {name: far, tenant: other}, spec: {subnets: [{cidr: 10.9.0.0/24}]}}":                                                true,
		"{kind: Network, metadata: {name: far, tenant: other}, spec: {mtu: 1400, subnets: [{cidr: 10.9.0.0/24}, {cidr: 'fd00:9::/64'}]}}":              false,
		"{kind: Network, metadata: {name: n4, tenant: other}, spec: {subnets: [{cidr: 10.9.0.0/24}]}}":                                                 false,
		"{kind: Network, metadata: {name: new, tenant: other}, spec: {subnets: [{cidr: 10.9.0.0/24}]}}":                                                false,
		"{kind: Router, metadata: {name: core, tenant: other}, spec: {networks: [far], gateways: [{name: spare}]}}":                                    false,
		"{kind: Network, metadata: {name: red, tenant: acme}, spec: {subnets: [{cidr: 10.1.0.0/24, gateway: 10.1.0.254}, {cidr: '2001:db8:7::/64'}]}}": true,
	} {
		d, err := s.Try(toChanges(t, doc), testEnv)
		if err != nil {
			t.Errorf("%s: %v", doc, err)
			continue
		}
		if d.Edits[0].Outside != want {
			t.Errorf("%s: outside is %v", doc, !want)
		}
		d.Undo()
	}
}

// many is n tenants, each with a router that routes a network of its own outside.
func many(tb testing.TB, n int) *State {
	s := NewState()
	commit(tb, s, `
{kind: ExternalNetwork, metadata: {name: internet}, spec: {physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24, pools: [192.0.2.0/24]}]}}
---
{kind: Gateway, metadata: {name: edge}, spec: {externalNetwork: internet, hosts: [{name: h1}]}}
`)
	changes := make([]Change, 0, 3*n)
	for i := range n {
		tenant := fmt.Sprintf("t%d", i)
		changes = append(changes, Change{Object: &Tenant{Metadata: Metadata{Name: tenant}}}, Change{Object: subnetOfMany(tenant, i, 64)},
			Change{Object: &Router{Metadata: Metadata{Name: "r", Tenant: tenant}, Spec: RouterSpec{Networks: []string{"n"}, Gateways: []RouterGateway{{Name: "edge", RoutedNetworks: []string{"n"}}}}}})
	}
	if _, err := s.Try(changes, testEnv); err != nil {
		tb.Fatal(err)
	}
	return s
}

func subnetOfMany(tenant string, i, bits int) *Network {
	p := netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 5: byte(i >> 16), 6: byte(i >> 8), 7: byte(i)}), bits)
	return &Network{Metadata: Metadata{Name: "n", Tenant: tenant}, Spec: NetworkSpec{Subnets: []Subnet{{CIDR: p}}}}
}

// BenchmarkTryARoutedSubnet changes the subnet of one network that is routed outside,
// beside others.
func BenchmarkTryARoutedSubnet(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := many(b, n)
			for b.Loop() {
				d, err := s.Try([]Change{{Object: subnetOfMany("t7", 7, 65)}}, testEnv)
				if err != nil {
					b.Fatal(err)
				}
				d.Undo()
			}
		})
	}
}
