package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// The chain of the tests: what goes from blue to port 5432 of green passes the
// transparent ids, whose only instance is here, the routed fw, of which one instance is
// here and one on 192.0.2.2, and a copy goes to tap on 192.0.2.2.
var (
	ids = &topology.ServiceFunction{
		Metadata: topology.Metadata{Tenant: "acme", Name: "ids"},
		Spec: topology.ServiceFunctionSpec{Type: topology.FunctionTransparent, FailMode: topology.FailOpen, Instances: []topology.Instance{{In: "ids-in", Out: "ids-out"}},
			Probe: &topology.Probe{Protocol: topology.ProbeARP}},
		Allocated: topology.ServiceFunctionAllocation{ID: 1,
			Instances: []topology.InstanceAllocation{{In: "ids-in", Number: 1}}},
	}
	fw = &topology.ServiceFunction{
		Metadata: topology.Metadata{Tenant: "acme", Name: "fw"},
		Spec: topology.ServiceFunctionSpec{Type: topology.FunctionRouted, Instances: []topology.Instance{{In: "fw1"}, {In: "fw2", Weight: 3}},
			Probe: &topology.Probe{Protocol: topology.ProbeICMP, IntervalMillis: 200}},
		Allocated: topology.ServiceFunctionAllocation{ID: 2,
			Instances: []topology.InstanceAllocation{{In: "fw1", Number: 1}, {In: "fw2", Number: 2}}},
	}
	tap = &topology.ServiceFunction{
		Metadata:  topology.Metadata{Tenant: "acme", Name: "tap"},
		Spec:      topology.ServiceFunctionSpec{Type: topology.FunctionTap, Instances: []topology.Instance{{In: "tap"}}},
		Allocated: topology.ServiceFunctionAllocation{ID: 3, Instances: []topology.InstanceAllocation{{In: "tap", Number: 1}}},
	}
	idsPlaced = []Placed{{Number: 1, Alive: true, Host: "h1", VTEP: vtep1, Link: 50001, In: 21, Out: 22}}
	fwPlaced  = []Placed{
		{Number: 1, Alive: true, Host: "h1", VTEP: vtep1, Link: 50001, In: 23, Out: 23},
		{Number: 2, Weight: 3, Alive: true, Host: "h2", VTEP: vtep2, Link: 50002, In: 9, Out: 9},
	}
	tapPlaced = []Placed{{Number: 1, Alive: true, Host: "h2", VTEP: vtep2, Link: 50002, In: 8, Out: 8}}

	guarded = &Chain{
		Object: &topology.Chain{
			Metadata:  topology.Metadata{Tenant: "acme", Name: "guarded"},
			Spec:      topology.ChainSpec{Router: "core", Protocol: "tcp", Ports: []topology.PortRange{{First: 5432, Last: 5433}}},
			Allocated: topology.ChainAllocation{ID: 1, Zone: 8, Priority: 100},
		},
		Router:       1,
		Sources:      Side{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00:1::/64")}},
		Destinations: Side{Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.1.0/24")}},
		Hops:         []Hop{{Function: ids, Slot: 1, Alone: true}, {Function: fw, Slot: 2}, {Function: tap, Slot: 3, Alone: true}},
	}
	idsArms = []Arm{{instanceEndpoint("ids-in", "10.0.0.21", 0x21), blue, 21}, {instanceEndpoint("ids-out", "10.0.0.22", 0x22), blue, 22}}
	fwArms  = []Arm{{instanceEndpoint("fw1", "10.0.0.23", 0x23), blue, 23}}
)

func instanceEndpoint(name, addr string, mac byte) *topology.Endpoint {
	return &topology.Endpoint{
		Metadata:  topology.Metadata{Tenant: "acme", Name: name},
		Spec:      topology.EndpointSpec{Network: "blue"},
		Allocated: topology.EndpointAllocation{Addresses: []netip.Addr{netip.MustParseAddr(addr)}, MAC: topology.MAC{2, 0, 0, 0, 0, mac}},
	}
}

// exampleChain are the fragments of a chain on the host that has web1.
func exampleChain() []fragment {
	return []fragment{
		{"Router acme/core", Scope(core, []*topology.Network{blue, green})},
		{"Chain acme/guarded", Steer(guarded)},
		{"Chain acme/guarded", Transit(guarded)},
		{"Chain acme/guarded", Emit(guarded, nil)},
		{"Chain acme/guarded", Accept(guarded, 1, []int{1})},
		{"Chain acme/guarded", Accept(guarded, 2, []int{1})},
		{"ServiceFunction acme/ids", Function(ids, idsPlaced)},
		{"ServiceFunction acme/ids", InstanceLocal(&Instance{Function: ids, Number: 1, Arms: idsArms, Router: 1})},
		{"ServiceFunction acme/ids", Answers(&Instance{Function: ids, Number: 1, Arms: idsArms})},
		{"ServiceFunction acme/ids", LandingLocal(ids, []int{1}, []int{1})},
		{"ServiceFunction acme/fw", Function(fw, fwPlaced)},
		{"ServiceFunction acme/fw", InstanceLocal(&Instance{Function: fw, Number: 1, Arms: fwArms, Router: 1})},
		{"ServiceFunction acme/fw", Answers(&Instance{Function: fw, Number: 1, Arms: fwArms})},
		{"ServiceFunction acme/fw", LandingLocal(fw, []int{1}, nil)},
		{"ServiceFunction acme/tap", Function(tap, tapPlaced)},
		{"Endpoint acme/ids-in", EndpointLocal(blue, idsArms[0].Endpoint, 21)},
		{"Endpoint acme/ids-out", EndpointLocal(blue, idsArms[1].Endpoint, 22)},
		{"Endpoint acme/fw1", EndpointLocal(blue, fwArms[0].Endpoint, 23)},
		{"Endpoint acme/fw1", EndpointRemote(blue, fwArms[0].Endpoint, vtep1)},
	}
}

func exampleChainGroups() []openflow.Group {
	groups := FunctionGroups(ids, idsPlaced, "h1")
	groups = append(groups, FunctionGroups(fw, fwPlaced, "h1")...)
	return append(groups, FunctionGroups(tap, tapPlaced, "h1")...)
}

// exampleMeters are those of functions that are asked.
func exampleMeters() []openflow.Meter {
	var meters []openflow.Meter
	for _, f := range []*topology.ServiceFunction{ids, fw} {
		m, _ := AnswerMeter(f, 1)
		meters = append(meters, m)
	}
	return meters
}
