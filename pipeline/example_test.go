package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// The topology of the tests: tenant acme has networks blue (IPv4 and IPv6) and
// green (IPv4), joined by router core. web1 is here, at port 10 of host
// 192.0.2.1; db1 is on host 192.0.2.2. web1 shares 10.0.0.100 with others.
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
			Networks:     []string{"blue", "green"},
			StaticRoutes: []topology.StaticRoute{{Destination: netip.MustParsePrefix("10.9.0.0/16"), NextHop: netip.MustParseAddr("10.0.1.20")}},
		},
		Allocated: topology.RouterAllocation{ID: 1},
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
	return []fragment{
		{BaseSource, Base(vtep1)},
		{"Endpoint acme/web1", EndpointLocal(blue, web1, 10)},
		{"Endpoint acme/web1", EndpointRemote(blue, web1, vtep1)},
		{"Endpoint acme/db1", EndpointRemote(green, db1, vtep2)},
		{"Network acme/blue", Network(blue, Members{VTEPs: []netip.Addr{vtep1}, Shared: []netip.Prefix{netip.MustParsePrefix("10.0.0.100/32")}})},
		{"Network acme/blue", NetworkLocal(blue, []uint32{10})},
		{"Network acme/green", Network(green, Members{VTEPs: []netip.Addr{vtep2}})},
		{"Router acme/core", Router(core, []*topology.Network{blue, green})},
	}
}
