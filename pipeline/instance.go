package pipeline

import (
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Instance is an instance of a service function on its own host.
type Instance struct {
	Function *topology.ServiceFunction
	Number   int
	// Arms are its port, or its two: that to the sources and that to the destinations.
	Arms []Arm
	// Router is the id of the router of the chains through the function, where headers say
	// which of them a packet is in; 0 where a tag does, or there is no chain.
	Router uint32
}

// Arm is a port of an instance.
type Arm struct {
	Endpoint *topology.Endpoint
	Network  *topology.Network
	OFPort   uint32
}

// InstanceLocal is an instance on its own host, beside the endpoints of its ports.
func InstanceLocal(i *Instance) []openflow.Flow {
	b := instanceBuilder{Instance: i}
	for n, a := range i.Arms {
		arm := uint64(armBoth)
		if len(i.Arms) == 2 {
			arm = uint64(armIn << n)
		}
		b.takes(a, arm)
	}
	b.gets(false, i.Arms[0])
	if i.Function.Spec.Type != topology.FunctionTap {
		b.gets(true, i.Arms[len(i.Arms)-1])
	}
	return b.flows
}

// LandingLocal is how packets that other hosts send get to the instances of a function on
// this host. Which one a connection uses may only be known here, if
// there are several. pairs are the instances with two ports.
func LandingLocal(f *topology.ServiceFunction, numbers, pairs []int) []openflow.Flow {
	var b builder
	id := function(f.Allocated.ID)
	b.goTo(TableLanding, 10, match(id), TableReceive)
	if len(numbers) > 1 && f.Spec.Type != topology.FunctionTap {
		for _, eth := range []uint64{ethIPv4, ethIPv6} {
			b.add(TableLanding, 20, match(id, ethType(eth)), openflow.CT{ZoneField: RegZone, Table: TableRecalled})
		}
	}
	for _, n := range pairs {
		b.add(TableOut, 100, match(id, instance(n)), toFunction(f.Allocated.ID, groupOut+n))
	}
	for _, n := range numbers {
		b.add(TableReceive, 100, match(id, instance(n)), raise(FlagAstray), toFunction(f.Allocated.ID, groupHop+n))
	}
	if f.Spec.Type == topology.FunctionTap {
		return b.flows
	}
	b.add(TableReceive, 90, match(id, instance(0)), toFunction(f.Allocated.ID, groupHere))
	b.add(TableReceive, 80, match(id), raise(FlagAstray), openflow.Resubmit{Table: TableHop})
	b.add(TableShareHere, 100, match(id), toFunction(f.Allocated.ID, groupShareHere))
	return b.flows
}

type instanceBuilder struct {
	builder
	*Instance
}

// takes sorts what comes from a port: what the instance sends as itself goes the way of
// any endpoint's packets, the rest is a chain's.
func (b *instanceBuilder) takes(a Arm, arm uint64) {
	from := match(inPort(a.OFPort))
	itself := actions(set(network(a.Network.Allocated.VNI)), raise(FlagItself))
	chains := actions(set(network(a.Network.Allocated.VNI)), set(function(b.Function.Allocated.ID)), set(instance(b.Number)), set(RegArm.Uint(arm)))
	if b.Router != 0 {
		chains = append(chains, set(RegRouter.Uint(uint64(b.Router))), openflow.Resubmit{Table: TableFromInside}, openflow.Resubmit{Table: TableToInside})
	}
	if b.Function.Spec.Type == topology.FunctionTap {
		b.goTo(TableClassify, 130, from, TableAntiSpoof, itself...)
		return
	}
	for _, eth := range []uint64{ethIPv4, ethIPv6} {
		if b.Function.Spec.Tagged {
			b.goTo(TableClassify, 215, with(from, openflow.VLANVID.UintMask(tagged, tagged), ethType(eth)), TableEmit, chains...)
		} else {
			b.goTo(TableClassify, 130, with(from, ethType(eth)), TableEmit, chains...)
		}
	}
	// A broadcast that a bridge passes on would come back to it without end.
	b.add(TableClassify, 220, with(from, toMany))
	if b.Function.Spec.Type == topology.FunctionTransparent {
		b.goTo(TableClassify, 230, with(from, openflow.EthSrc.MAC(a.Endpoint.Allocated.MAC)), TableAntiSpoof, itself...)
		b.add(TableClassify, 125, from)
		return
	}
	b.goTo(TableClassify, 125, from, TableAntiSpoof, itself...)
	for _, typ := range []uint64{133, 134, 135, 136, 137} {
		b.goTo(TableClassify, 230, with(from, icmp6(typ)...), TableAntiSpoof, itself...)
	}
	b.goTo(TableClassify, 230, with(from, ethType(ethARP)), TableAntiSpoof, itself...)
	for _, addr := range resolvable(a.Network, a.Endpoint) {
		f := fieldsOf(addr)
		m := with(from, ethType(f.eth), f.src.Addr(addr))
		if b.Function.Spec.Type == topology.FunctionRewriting {
			m = with(m, toMany)
		}
		b.goTo(TableClassify, 225, m, TableAntiSpoof, itself...)
	}
}

// toMany matches broadcasts and multicasts.
var toMany = openflow.EthDst.MACMask([6]byte{1}, [6]byte{1})

// gets is how the instance is given the packets of one direction.
func (b *instanceBuilder) gets(back bool, a Arm) {
	m := match(function(b.Function.Allocated.ID), instance(b.Number), backward(back))
	var to []openflow.Action
	if t := b.Function.Spec.Type; t == topology.FunctionRouted || t == topology.FunctionRewriting {
		to = actions(set(openflow.EthSrc.MAC(GatewayMAC)), set(openflow.EthDst.MAC(a.Endpoint.Allocated.MAC)))
	}
	if b.Function.Spec.Type == topology.FunctionTap {
		m = m[:2] // copies of both directions
	}
	b.add(TableDeliver, 100, m, append(to, openflow.Output{Port: a.OFPort})...)
}
