package topology

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// decodeOne reads one object from YAML.
func decodeOne(t testing.TB, doc string) Object {
	t.Helper()
	objects, err := DecodeManifest([]byte(doc))
	if err != nil || len(objects) != 1 {
		t.Fatalf("%d objects, %v in:\n%s", len(objects), err, doc)
	}
	return objects[0]
}

func networkDoc(spec string) string {
	return "{kind: Network, metadata: {name: blue, tenant: acme}, spec: {" + spec + "}}"
}

func routerDoc(spec string) string {
	return "{kind: Router, metadata: {name: r, tenant: acme}, spec: {" + spec + "}}"
}

func endpointDoc(spec string) string {
	return "{kind: Endpoint, metadata: {name: web1, tenant: acme}, spec: {" + spec + "}}"
}

func externalDoc(spec string) string {
	return "{kind: ExternalNetwork, metadata: {name: x}, spec: {" + spec + "}}"
}

func gatewayDoc(spec string) string {
	return "{kind: Gateway, metadata: {name: g}, spec: {" + spec + "}}"
}

func floatingDoc(spec string) string {
	return "{kind: FloatingIP, metadata: {name: f, tenant: acme}, spec: {" + spec + "}}"
}

func serviceDoc(spec string) string {
	return "{kind: Service, metadata: {name: s, tenant: acme}, spec: {" + spec + "}}"
}

func bgpDoc(spec string) string {
	return externalDoc("physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24}], bgp: {" + spec + "}")
}

func hostDoc(name, address string) string {
	return fmt.Sprintf("{kind: Host, metadata: {name: %q}, spec: {address: %q}}", name, address)
}

func TestValidate(t *testing.T) {
	many := func(n int, format string) string {
		var list []string
		for i := range n {
			list = append(list, strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return strings.Join(list, ", ")
	}
	for _, tc := range []struct {
		doc   string
		field string // "" if it is valid
	}{
		{"{kind: Tenant, metadata: {name: acme}}", ""},
		{"{kind: Tenant, metadata: {name: a-1}}", ""},
		{"{kind: Tenant, metadata: {name: ''}}", "metadata.name"},
		{"{kind: Tenant, metadata: {name: Acme}}", "metadata.name"},
		{"{kind: Tenant, metadata: {name: -a}}", "metadata.name"},
		{"{kind: Tenant, metadata: {name: a_b}}", "metadata.name"},
		{"{kind: Tenant, metadata: {name: " + strings.Repeat("a", 64) + "}}", "metadata.name"},
		{"{kind: Tenant, metadata: {name: acme, tenant: x}}", "metadata.tenant"},
		{"{kind: Tenant, metadata: {name: acme, labels: {app.io/tier: 'web, \"1\"'}}}", ""},
		{"{kind: Tenant, metadata: {name: acme, labels: {'': x}}}", "metadata.labels[]"},
		{"{kind: Tenant, metadata: {name: acme, labels: {a b: x}}}", "metadata.labels[a b]"},
		{"{kind: Tenant, metadata: {name: acme, labels: {" + many(65, "k#: v") + "}}}", "metadata.labels"},
		{"{kind: Tenant, metadata: {name: acme}, spec: {description: \"a\\0b\"}}", "spec.description"},
		{"{kind: Network, metadata: {name: blue}}", "metadata.tenant"},

		{networkDoc(""), ""},
		{networkDoc("vni: 1"), ""},
		{networkDoc("vni: 12582911"), ""},
		{networkDoc("vni: 12582912"), "spec.vni"},
		{networkDoc("mtu: 576"), ""},
		{networkDoc("mtu: 575"), "spec.mtu"},
		{networkDoc("mtu: 9001"), "spec.mtu"},
		{networkDoc("mtu: 1279, subnets: [{cidr: 'fd00::/64'}]"), "spec.mtu"},
		{networkDoc("mtu: 1280, subnets: [{cidr: 'fd00::/64'}]"), ""},
		{networkDoc("subnets: [{cidr: 10.0.0.0/30}]"), ""},
		{networkDoc("subnets: [{cidr: 10.0.0.0/31}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 'fd00::/126'}]"), ""},
		{networkDoc("subnets: [{cidr: 'fd00::/127'}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 10.0.0.1/24}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 0.0.0.0/0}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 127.0.0.0/24}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 169.254.3.0/24}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 224.0.0.0/24}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 128.0.0.0/1}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 'fe80::/64'}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 'ff02::/64'}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: '::/64'}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: '::ffff:10.0.0.0/120'}]"), "spec.subnets[0].cidr"},
		{networkDoc("subnets: [{cidr: 10.0.0.0/24}, {cidr: 10.0.0.128/25}]"), "spec.subnets[1].cidr"},
		{networkDoc("subnets: [" + many(16, "{cidr: 10.#.0.0/24}") + "]"), ""},
		{networkDoc("subnets: [" + many(17, "{cidr: 10.#.0.0/24}") + "]"), "spec.subnets"},
		{networkDoc("subnets: [{cidr: 10.0.0.0/24, gateway: 10.0.0.254}]"), ""},
		{networkDoc("subnets: [{cidr: 10.0.0.0/24, gateway: 10.0.1.1}]"), "spec.subnets[0].gateway"},
		{networkDoc("subnets: [{cidr: 10.0.0.0/24, gateway: 10.0.0.0}]"), "spec.subnets[0].gateway"},
		{networkDoc("subnets: [{cidr: 10.0.0.0/24, gateway: 10.0.0.255}]"), "spec.subnets[0].gateway"},
		{networkDoc("subnets: [{cidr: 'fd00::/64', gateway: 'fd00::'}]"), "spec.subnets[0].gateway"},
		{networkDoc("subnets: [{cidr: 'fd00::/64', gateway: 'fd00::ffff:ffff:ffff:ffff'}]"), ""},

		{routerDoc("networks: [a, b]"), ""},
		{routerDoc("networks: [a, A]"), "spec.networks[1]"},
		{routerDoc("networks: [a, b, a]"), "spec.networks[2]"},
		{routerDoc("networks: [" + many(257, "n#") + "]"), "spec.networks"},
		{routerDoc("staticRoutes: [{destination: 0.0.0.0/0, nextHop: 10.0.0.9}, {destination: '::/0', nextHop: 'fd00::9'}]"), ""},
		{routerDoc("staticRoutes: [{destination: 10.0.0.1/8, nextHop: 10.0.0.9}]"), "spec.staticRoutes[0].destination"},
		{routerDoc("staticRoutes: [{destination: 10.0.0.0/8}]"), "spec.staticRoutes[0].nextHop"},
		{routerDoc("staticRoutes: [{destination: 224.0.0.0/8, nextHop: 10.0.0.9}]"), "spec.staticRoutes[0].destination"},
		{routerDoc("staticRoutes: [{destination: 224.0.0.0/4, nextHop: 10.0.0.9}]"), "spec.staticRoutes[0].destination"},
		{routerDoc("staticRoutes: [{destination: 0.0.0.0/0, nextHop: 'fd00::9'}]"), "spec.staticRoutes[0].nextHop"},
		{routerDoc("staticRoutes: [{destination: 9.0.0.0/8, nextHop: 10.0.0.9}, {destination: 9.0.0.0/8, nextHop: 10.0.0.8}]"), "spec.staticRoutes[1].destination"},

		{endpointDoc("network: blue"), ""},
		{endpointDoc(""), "spec.network"},
		{endpointDoc("network: Blue"), "spec.network"},
		{endpointDoc("network: blue, addresses: [10.0.0.5, 'fd00::5']"), ""},
		{endpointDoc("network: blue, addresses: [10.0.0.5, 10.0.0.5]"), "spec.addresses[1]"},
		{endpointDoc("network: blue, addresses: ['::ffff:10.0.0.5']"), "spec.addresses[0]"},
		{endpointDoc("network: blue, addresses: ['fe80::1%eth0']"), "spec.addresses[0]"},
		{endpointDoc("network: blue, addresses: [" + many(17, "10.0.0.#") + "]"), "spec.addresses"},
		{endpointDoc("network: blue, mac: '02:00:00:00:00:05'"), ""},
		{endpointDoc("network: blue, mac: '03:00:00:00:00:05'"), "spec.mac"},
		{endpointDoc("network: blue, mac: 'ff:ff:ff:ff:ff:ff'"), "spec.mac"},
		{endpointDoc("network: blue, mac: '" + GatewayMAC.String() + "'"), "spec.mac"},
		{endpointDoc("network: blue, mac: '" + PassedOnMAC.String() + "'"), "spec.mac"},
		{endpointDoc("network: blue, mac: '" + OutsideMAC.String() + "'"), "spec.mac"},
		{endpointDoc("network: blue, mac: '" + ProbeMAC.String() + "'"), "spec.mac"},
		{endpointDoc("network: blue, mac: '" + ProbeBackMAC.String() + "'"), "spec.mac"},
		{endpointDoc("network: blue, allowedAddresses: [{prefix: 0.0.0.0/0}, {prefix: 10.0.0.9/32, mac: '00:00:5e:00:01:01'}]"), ""},
		{endpointDoc("network: blue, allowedAddresses: [{}]"), "spec.allowedAddresses[0].prefix"},
		{endpointDoc("network: blue, allowedAddresses: [{prefix: 224.0.0.1/32}]"), "spec.allowedAddresses[0].prefix"},
		{endpointDoc("network: blue, allowedAddresses: [{prefix: 10.0.0.9/32, mac: '01:00:5e:00:01:01'}]"), "spec.allowedAddresses[0].mac"},
		{endpointDoc("network: blue, interfaceID: 2b1a4d0e-7d0e-4a43-a3b1-0f6a6f1d8d3a"), ""},
		{endpointDoc("network: blue, interfaceID: acme/other"), ""},
		{endpointDoc("network: blue, interfaceID: other/web1"), "spec.interfaceID"},
		{endpointDoc("network: blue, interfaceID: 'a b'"), "spec.interfaceID"},

		{hostDoc("h1", ""), ""},
		{hostDoc("AA:BB_cc.dd-1", "tcp:192.0.2.1:6640"), ""},
		{hostDoc("h1", "ssl:[2001:db8::1]:6640"), ""},
		{hostDoc("h 1", ""), "metadata.name"},
		{hostDoc("../h1", ""), "metadata.name"},
		{hostDoc(strings.Repeat("h", 254), ""), "metadata.name"},
		{hostDoc("h1", "192.0.2.1:6640"), "spec.address"},
		{hostDoc("h1", "tcp:192.0.2.1"), "spec.address"},
		{hostDoc("h1", "tcp:192.0.2.1:0"), "spec.address"},
		{hostDoc("h1", "tcp:example.org:6640"), "spec.address"},
		{hostDoc("h1", "tcp:0.0.0.0:6640"), "spec.address"},
		{externalDoc("physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24}]"), ""},
		{externalDoc("physicalNetwork: p, vlan: 4094, mtu: 9000, subnets: [{cidr: 192.0.2.0/24, nextHops: [192.0.2.1, 192.0.2.2], pools: [192.0.2.3-192.0.2.9, 192.0.2.128/25]}]"), ""},
		{externalDoc("subnets: [{cidr: 192.0.2.0/24}]"), "spec.physicalNetwork"},
		{externalDoc("physicalNetwork: 'a:b', subnets: [{cidr: 192.0.2.0/24}]"), "spec.physicalNetwork"},
		{externalDoc("physicalNetwork: p"), "spec.subnets"},
		{externalDoc("physicalNetwork: p, vlan: 4095, subnets: [{cidr: 192.0.2.0/24}]"), "spec.vlan"},
		{externalDoc("physicalNetwork: p, mtu: 500, subnets: [{cidr: 192.0.2.0/24}]"), "spec.mtu"},
		{externalDoc("physicalNetwork: p, mtu: 1000, subnets: [{cidr: '2001:db8::/64'}]"), "spec.mtu"},
		{externalDoc("physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24}, {cidr: 192.0.2.128/25}]"), "spec.subnets[1].cidr"},
		{externalDoc("physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24, nextHops: [192.0.3.1]}]"), "spec.subnets[0].nextHops[0]"},
		{externalDoc("physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24, nextHops: [192.0.2.1, 192.0.2.1]}]"), "spec.subnets[0].nextHops[1]"},
		{externalDoc("physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24, pools: [192.0.1.9-192.0.2.9]}]"), "spec.subnets[0].pools[0]"},
		{externalDoc("physicalNetwork: p, subnets: [{cidr: 192.0.2.0/24, pools: [192.0.2.0/28, 192.0.2.15]}]"), "spec.subnets[0].pools[1]"},
		{gatewayDoc("externalNetwork: x, hosts: [{name: h1}, {name: h2, weight: 100}]"), ""},
		{gatewayDoc("hosts: [{name: h1}]"), "spec.externalNetwork"},
		{gatewayDoc("externalNetwork: x"), "spec.hosts"},
		{gatewayDoc("externalNetwork: x, hosts: [{name: h1}, {name: h1}]"), "spec.hosts[1].name"},
		{gatewayDoc("externalNetwork: x, hosts: [{name: h1, weight: 101}]"), "spec.hosts[0].weight"},
		{gatewayDoc("externalNetwork: x, hosts: [{name: h1}], addresses: [192.0.2.1, 192.0.2.1]"), "spec.addresses[1]"},
		{gatewayDoc("externalNetwork: x, hosts: [{name: h1}], addresses: [192.0.2.1, 192.0.2.2, 192.0.2.3]"), "spec.addresses"},
		{gatewayDoc("externalNetwork: x, hosts: [" + many(9, "{name: h#}") + "]"), "spec.hosts"},
		{routerDoc("networks: [net], gateways: [{name: g, addresses: [192.0.2.1], routedNetworks: [net]}]"), ""},
		{routerDoc("gateways: [{name: g}, {name: g, destinations: [192.0.2.0/24]}]"), "spec.gateways[1].name"},
		{routerDoc("gateways: [{name: g}, {name: h}]"), "spec.gateways[1]"},
		{routerDoc("gateways: [{name: g, destinations: [192.0.2.0/24, 192.0.2.0/24]}]"), "spec.gateways[0].destinations[1]"},
		{routerDoc("gateways: [{name: g, destinations: [224.0.0.0/8]}]"), "spec.gateways[0].destinations[0]"},
		{routerDoc("gateways: [{name: g, addresses: ['2001:db8::1']}]"), "spec.gateways[0].addresses[0]"},
		{routerDoc("gateways: [{name: g, routedNetworks: [net]}]"), "spec.gateways[0].routedNetworks[0]"},
		{floatingDoc("gateway: g"), ""},
		{floatingDoc("gateway: g, address: 192.0.2.1, endpoint: e, endpointAddress: 10.0.0.1, sources: [10.0.0.0/8]"), ""},
		{floatingDoc("gateway: g, ports: [{protocol: tcp, port: 80, endpoint: e}, {protocol: udp, port: 80, endpoint: e, endpointPort: 8080}]"), ""},
		{floatingDoc("endpoint: e"), "spec.gateway"},
		{floatingDoc("gateway: g, endpoint: e, ports: [{protocol: tcp, port: 80, endpoint: e}]"), "spec.ports"},
		{floatingDoc("gateway: g, endpointAddress: 10.0.0.1"), "spec.endpointAddress"},
		{floatingDoc("gateway: g, endpoint: e, address: 192.0.2.1, endpointAddress: 'fd00::1'"), "spec.endpointAddress"},
		{floatingDoc("gateway: g, ports: [{protocol: sctp, port: 80, endpoint: e}]"), "spec.ports[0].protocol"},
		{floatingDoc("gateway: g, ports: [{protocol: tcp, port: 0, endpoint: e}]"), "spec.ports[0].port"},
		{floatingDoc("gateway: g, ports: [{protocol: tcp, port: 80, endpoint: e, endpointPort: 65536}]"), "spec.ports[0].endpointPort"},
		{floatingDoc("gateway: g, ports: [{protocol: tcp, port: 80, endpoint: e}, {protocol: tcp, port: 80, endpoint: f}]"), "spec.ports[1].port"},
		{floatingDoc("gateway: g, ports: [{protocol: tcp, port: 80}]"), "spec.ports[0].endpoint"},
		{floatingDoc("gateway: g, sources: [10.0.0.1/8]"), "spec.sources[0]"},
		{floatingDoc("gateway: g, ports: [{protocol: tcp, port: 80, endpoint: e}, {protocol: tcp, port: 81, endpoint: e, endpointPort: 80}]"), "spec.ports[1].endpointPort"},
		{floatingDoc("gateway: g, ports: [{protocol: tcp, port: 80, endpoint: e}, {protocol: tcp, port: 81, endpoint: f, endpointPort: 80}]"), ""},
		{routerDoc("networks: [net], gateways: [{name: g, servicesOnly: true, addresses: [192.0.2.1]}, {name: h}]"), ""},
		{routerDoc("networks: [net], gateways: [{name: g, servicesOnly: true, destinations: [192.0.2.0/24]}]"), "spec.gateways[0].destinations"},
		{routerDoc("networks: [net], gateways: [{name: g, servicesOnly: true, routedNetworks: [net]}]"), "spec.gateways[0].routedNetworks"},

		{bgpDoc("asn: 1, peers: [{address: 192.0.2.1, asn: 4294967294}, {address: '2001:db8::1', asn: 64512}]"), ""},
		{bgpDoc("asn: 1, peers: [{address: 127.0.0.1, asn: 1}]"), ""},
		{bgpDoc("peers: [{address: 192.0.2.1, asn: 1}]"), "spec.bgp.asn"},
		{bgpDoc("asn: 23456, peers: [{address: 192.0.2.1, asn: 1}]"), "spec.bgp.asn"},
		{bgpDoc("asn: 65535, peers: [{address: 192.0.2.1, asn: 1}]"), "spec.bgp.asn"},
		{bgpDoc("asn: 4294967295, peers: [{address: 192.0.2.1, asn: 1}]"), "spec.bgp.asn"},
		{bgpDoc("asn: 1"), "spec.bgp.peers"},
		{bgpDoc("asn: 1, peers: [" + many(16, "{address: 192.0.2.#, asn: 1}") + "]"), ""},
		{bgpDoc("asn: 1, peers: [" + many(17, "{address: 192.0.2.#, asn: 1}") + "]"), "spec.bgp.peers"},
		{bgpDoc("asn: 1, peers: [{address: 192.0.2.1, asn: 1}, {address: 192.0.2.1, asn: 2}]"), "spec.bgp.peers[1].address"},
		{bgpDoc("asn: 1, peers: [{asn: 1}]"), "spec.bgp.peers[0].address"},
		{bgpDoc("asn: 1, peers: [{address: 0.0.0.0, asn: 1}]"), "spec.bgp.peers[0].address"},
		{bgpDoc("asn: 1, peers: [{address: 224.0.0.5, asn: 1}]"), "spec.bgp.peers[0].address"},
		{bgpDoc("asn: 1, peers: [{address: 'fe80::1', asn: 1}]"), "spec.bgp.peers[0].address"},
		{bgpDoc("asn: 1, peers: [{address: 192.0.2.1}]"), "spec.bgp.peers[0].asn"},

		{serviceDoc("gateway: g, address: 203.0.113.1, ports: [{protocol: tcp, port: 80}, {protocol: udp, port: 80}]"), ""},
		{serviceDoc("gateway: g, address: 203.0.113.1, insideAddress: 10.0.0.1, ports: [{protocol: tcp, port: 65535}]"), ""},
		{serviceDoc("gateway: g, address: '2001:db8::1', ports: [{protocol: tcp, port: 80}]"), ""},
		{serviceDoc("gateway: g, address: '2001:db8::1', insideAddress: '2001:db8::1', ports: [{protocol: tcp, port: 80}]"), ""},
		{serviceDoc("gateway: g, address: '2001:db8::1', insideAddress: 'fd00::1', ports: [{protocol: tcp, port: 80}]"), "spec.insideAddress"},
		{serviceDoc("gateway: g, address: '2001:db8::1', insideAddress: 10.0.0.1, ports: [{protocol: tcp, port: 80}]"), "spec.insideAddress"},
		{serviceDoc("gateway: g, address: 203.0.113.1, insideAddress: 169.254.169.254, ports: [{protocol: tcp, port: 80}]"), "spec.insideAddress"},
		{serviceDoc("address: 203.0.113.1, ports: [{protocol: tcp, port: 80}]"), "spec.gateway"},
		{serviceDoc("gateway: g, ports: [{protocol: tcp, port: 80}]"), "spec.address"},
		{serviceDoc("gateway: g, address: 127.0.0.1, ports: [{protocol: tcp, port: 80}]"), "spec.address"},
		{serviceDoc("gateway: g, address: 224.0.0.1, ports: [{protocol: tcp, port: 80}]"), "spec.address"},
		{serviceDoc("gateway: g, address: 255.255.255.255, ports: [{protocol: tcp, port: 80}]"), "spec.address"},
		{serviceDoc("gateway: g, address: '::1', ports: [{protocol: tcp, port: 80}]"), "spec.address"},
		{serviceDoc("gateway: g, address: 'ff02::1', ports: [{protocol: tcp, port: 80}]"), "spec.address"},
		{serviceDoc("gateway: g, address: 203.0.113.1"), "spec.ports"},
		{serviceDoc("gateway: g, address: 203.0.113.1, ports: [" + many(65, "{protocol: tcp, port: 1#}") + "]"), "spec.ports"},
		{serviceDoc("gateway: g, address: 203.0.113.1, ports: [{protocol: icmp, port: 80}]"), "spec.ports[0].protocol"},
		{serviceDoc("gateway: g, address: 203.0.113.1, ports: [{protocol: tcp, port: 0}]"), "spec.ports[0].port"},
		{serviceDoc("gateway: g, address: 203.0.113.1, ports: [{protocol: tcp, port: 80}, {protocol: tcp, port: 80}]"), "spec.ports[1]"},
	} {
		err := Validate(decodeOne(t, tc.doc))
		var inv *InvalidError
		switch {
		case tc.field == "" && err != nil:
			t.Errorf("%s: %v", tc.doc, err)
		case tc.field != "" && !errors.As(err, &inv):
			t.Errorf("%s: error %v, want one of %s", tc.doc, err, tc.field)
		case tc.field != "" && inv.Field != tc.field:
			t.Errorf("%s: field %s (%s), want %s", tc.doc, inv.Field, inv.Reason, tc.field)
		}
	}
}

func TestPrefixArithmetic(t *testing.T) {
	for _, tc := range []struct{ prefix, first, last string }{
		{"10.0.0.0/24", "10.0.0.1", "10.0.0.255"},
		{"10.0.0.4/30", "10.0.0.5", "10.0.0.7"},
		{"fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff"},
		{"fd00::10/126", "fd00::11", "fd00::13"},
	} {
		p := netip.MustParsePrefix(tc.prefix)
		if got := firstHost(p).String(); got != tc.first {
			t.Errorf("first host of %s is %s, want %s", p, got, tc.first)
		}
		if got := lastAddr(p).String(); got != tc.last {
			t.Errorf("last address of %s is %s, want %s", p, got, tc.last)
		}
		if off, ok := offset(p, firstHost(p)); !ok || atOffset(p, off) != firstHost(p) {
			t.Errorf("offset of %s in %s is %d", firstHost(p), p, off)
		}
	}
	if _, ok := offset(netip.MustParsePrefix("fd00::/64"), netip.MustParseAddr("fd00::1:0:0:1")); ok {
		t.Error("an address 2^48 further has an offset")
	}
}
