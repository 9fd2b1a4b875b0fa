package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// The topology of the tests: tenant acme has networks blue (IPv4 and IPv6) and
// green (IPv4), joined by router core. web1 is here, at port 10 of host
// 192.0.2.1; db1 is on host 192.0.2.2. web1 shares 10.0.0.100 with others.
//
// Router core is connected to the gateway edge of the external network internet, on
// this host and then on 192.0.2.2. Blue is translated to 203.0.113.10, green is routed.
// web1 has a floating IP here, db1 one at the gateway; the name server 10.0.0.53
// outside is 172.30.0.53 inside.
var (
	vtep1 = netip.MustParseAddr("192.0.2.1")
	vtep2 = netip.MustParseAddr("192.0.2.2")

	blue = &topology.Network{
		Metadata: topology.Metadata{Tenant: "acme", Name: "blue"},
		Allocated: topology.NetworkAllocation{VNI: 4096, MTU: 1450, Subnets: []topology.Subnet{
			{CIDR: netip.MustParsePrefix("10.0.0.0/24"), Gateway: netip.MustParseAddr("10.0.0.1")},
			{CIDR: netip.MustParsePrefix("fd00:1::/64"), Gateway: netip.MustParseAddr("fd00:1::1")},
		}},
	}
	green = &topology.Network{
		Metadata: topology.Metadata{Tenant: "acme", Name: "green"},
		Allocated: topology.NetworkAllocation{VNI: 4097, MTU: 1450, Subnets: []topology.Subnet{
			{CIDR: netip.MustParsePrefix("10.0.1.0/24"), Gateway: netip.MustParseAddr("10.0.1.1")},
		}},
	}
	core = &topology.Router{
		Metadata: topology.Metadata{Tenant: "acme", Name: "core"},
		Spec: topology.RouterSpec{
			Networks: []string{"blue", "green"},
			Gateways: []topology.RouterGateway{{Name: "edge", RoutedNetworks: []string{"green"}, Destinations: []netip.Prefix{
				netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32"),
			}}},
			StaticRoutes: []topology.StaticRoute{{Destination: netip.MustParsePrefix("10.9.0.0/16"), NextHop: netip.MustParseAddr("10.0.1.20")}},
		},
		Allocated: topology.RouterAllocation{ID: 1},
	}
	internet = &topology.ExternalNetwork{
		Metadata: topology.Metadata{Name: "internet"},
		Spec: topology.ExternalNetworkSpec{PhysicalNetwork: "physnet1", VLAN: 100, Subnets: []topology.ExternalSubnet{
			{CIDR: netip.MustParsePrefix("203.0.113.0/24"), NextHops: []netip.Addr{netip.MustParseAddr("203.0.113.1")}},
			{CIDR: netip.MustParsePrefix("2001:db8:f::/64")},
		}},
		Allocated: topology.ExternalNetworkAllocation{ID: 1, MTU: 1500},
	}
	edgeMAC = topology.MAC{0x0e, 0, 0, 0, 0, 1}
	edge    = &topology.Gateway{
		Metadata: topology.Metadata{Name: "edge"},
		Spec:     topology.GatewaySpec{ExternalNetwork: "internet", Hosts: []topology.GatewayHost{{Name: "h1"}, {Name: "h2"}}},
		Allocated: topology.GatewayAllocation{ID: 1, Lanes: []topology.Lane{
			{Host: "h1", MAC: edgeMAC, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("2001:db8:f::2")}},
		}},
	}
	carriers = map[string]Carrier{"h1": {"h1", vtep1, 50001, 30001, 40001}, "h2": {"h2", vtep2, 50002, 30002, 40002}}
	coreExit = &Attachment{
		Router: core, Gateway: edge, External: internet, Networks: []*topology.Network{blue, green}, Chained: true,
		At: topology.Attachment{Gateway: "edge", ExternalNetwork: "internet", VNI: 5000, Zone: 7, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.10")}},
		Services: []*topology.Service{{
			Spec:      topology.ServiceSpec{Address: netip.MustParseAddr("10.0.0.53"), Ports: []topology.ServicePort{{Protocol: "udp", Port: 53}}},
			Allocated: topology.ServiceAllocation{InsideAddress: netip.MustParseAddr("172.30.0.53")},
		}},
	}
	web1FIP = Floating{
		Address: netip.MustParseAddr("203.0.113.20"), External: internet, Here: true,
		MAC:     FloatingMAC(internet, netip.MustParseAddr("203.0.113.20")),
		Targets: []Target{{topology.Target{Inside: netip.MustParseAddr("10.0.0.10")}, 1, coreExit.At, 1450}},
	}
	db1FIP = Floating{
		Address: netip.MustParseAddr("203.0.113.21"), External: internet, MAC: edgeMAC, Gate: GroupID(edge, 0, GroupGate),
		Targets: []Target{{topology.Target{Inside: netip.MustParseAddr("10.0.1.20"), Protocol: "tcp", Port: 5432, EndpointPort: 5433}, 1, coreExit.At, 1450}},
		Sources: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
	}
	web1 = &topology.Endpoint{
		Metadata: topology.Metadata{Tenant: "acme", Name: "web1"},
		Spec: topology.EndpointSpec{Network: "blue", AllowedAddresses: []topology.AllowedAddress{
			{Prefix: netip.MustParsePrefix("10.0.0.100/32")},
		}},
		Allocated: topology.EndpointAllocation{
			Addresses:   []netip.Addr{netip.MustParseAddr("10.0.0.10"), netip.MustParseAddr("fd00:1::10")},
			MAC:         topology.MAC{2, 0, 0, 0, 0, 0x10},
			InterfaceID: "acme/web1",
		},
	}
	db1 = &topology.Endpoint{
		Metadata: topology.Metadata{Tenant: "acme", Name: "db1"},
		Spec:     topology.EndpointSpec{Network: "green"},
		Allocated: topology.EndpointAllocation{
			Addresses:   []netip.Addr{netip.MustParseAddr("10.0.1.20")},
			MAC:         topology.MAC{2, 0, 0, 0, 1, 0x20},
			InterfaceID: "acme/db1",
		},
	}
)

// fragment is the flows of one object in one role, with their source.
type fragment struct {
	source string
	flows  []openflow.Flow
}

// exampleFragments are all fragments of the host that has web1.
func exampleFragments() []fragment {
	return append([]fragment{
		{BaseSource, Base(vtep1)},
		{"Endpoint acme/web1", EndpointLocal(blue, web1, 10)},
		{"Endpoint acme/web1", EndpointRemote(blue, web1, vtep1)},
		{"Endpoint acme/db1", EndpointRemote(green, db1, vtep2)},
		{"Network acme/blue", Network(blue, Members{VTEPs: []netip.Addr{vtep1}, Shared: []netip.Prefix{netip.MustParsePrefix("10.0.0.100/32")}})},
		{"Network acme/blue", NetworkLocal(blue, []uint32{10})},
		{"Network acme/green", Network(green, Members{VTEPs: []netip.Addr{vtep2}})},
		{"Router acme/core", Router(core, []*topology.Network{blue, green})},
		{"Router acme/core", Inside(core, []*topology.Network{blue, green}, true)},
		{"Router acme/core", Exit(coreExit)},
		{"Router acme/core", AtGateway(coreExit)},
		{"ExternalNetwork internet", External(internet, Hops{IPv4: netip.MustParseAddr("203.0.113.1")})},
		{"ExternalNetwork internet", ExternalLocal(internet, 61000)},
		{"ExternalNetwork internet", Neighbour(ExternalNumber(internet), netip.MustParseAddr("203.0.113.1"), topology.MAC{2, 0, 0, 0, 9, 1})},
		{"ExternalNetwork internet", OwnAddress(ExternalNumber(internet), web1FIP.Address, web1FIP.MAC)},
		{"ExternalNetwork internet", OwnAddress(ExternalNumber(internet), edge.Allocated.Lanes[0].Addresses[0], edgeMAC)},
		{"Gateway edge", Gateway(edge, internet)},
		{"Gateway edge", GatewayHost([]LaneHere{{edge, 0, internet}}, examplePeers)},
		{"FloatingIP acme/web1", FloatingIP(web1FIP)},
		{"FloatingIP acme/db1", FloatingIP(db1FIP)},
		{"FloatingIP acme/web1", FloatingAway(web1FIP, vtep1)},
		{"Gateway edge", Quotes(db1FIP.Targets[0].At.VNI, db1FIP.Targets[0].Inside)},
	}, exampleChain()...)
}

// exampleGroups are the groups of that host.
func exampleGroups() []openflow.Group {
	groups := append(GatewayGroups(edge, carriers, "h1", exampleLinks["h1"]), HostGroups(examplePeers, exampleLinks["h1"])...)
	return append(groups, exampleChainGroups()...)
}

// exampleLinks are the links of hosts that carry the gateway: to each other, and to h3 as a
// witness.
var exampleLinks = map[string][]uint32{"h1": {30002, 50003}, "h2": {30001, 50003}}

var examplePeers = []Carrier{carriers["h2"]}
