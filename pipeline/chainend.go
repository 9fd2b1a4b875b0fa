package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// end is where packets of one direction leave the chain: on the host of the last
// instance, to be routed, and then on that of their destination, which notes the instance.
func (b *chainBuilder) end(back bool) {
	here := b.position(0, back)
	a := actions(openflow.Move{Src: RegInstance, Dst: RegPosition, NBits: instanceBits}, set(RegRouter.Uint(uint64(b.Router))),
		openflow.Load{Dst: RegPosition, Ofs: foundShift, NBits: 24}, set(RegNextHop6.Addr(netip.IPv6Unspecified())),
		openflow.Resubmit{Table: TableFromInside}, networkHere())
	if b.remade() {
		// It is for a router, however the last function has addressed it.
		a = append(a, set(openflow.EthDst.MAC(GatewayMAC)))
	}
	b.goTo(TableEnd, 100, match(here.at()), TableOnward, a...)

	in := actions(set(RegRouter.Uint(uint64(b.Router))), openflow.Resubmit{Table: TableToInside}, networkHere())
	b.add(TableAccept, 90, match(here.at()), openflow.Resubmit{Table: TableForward})
	b.goTo(TableArrival, 110, match(RegPosition.UintMask(uint64(here.VNI()), positionMask|instanceMask)), TableAccept, in...)
	if id, slot := b.last(back); id != 0 {
		in = append(in, openflow.Move{Src: RegPosition, Dst: RegBefore, NBits: instanceBits}, raise(FlagBefore))
		for _, eth := range []uint64{ethIPv4, ethIPv6} {
			b.add(TableAccept, 100, match(here.at(), ethType(eth), flagged(FlagBefore)), b.note(remember(slot, RegBefore)), openflow.Resubmit{Table: TableForward})
		}
	}
	b.goTo(TableArrival, 100, match(here.at()), TableAccept, in...)
}

// networkHere puts the packet into the network that was found for it, or into none.
func networkHere() openflow.Action {
	return openflow.Move{Src: RegPosition, SrcOfs: foundShift, Dst: RegNetwork, NBits: 24}
}

// foundShift is where in RegPosition the VNI is that belongs to an address.
const foundShift = 32

// Scope is a router with chains: what leaves an endpoint of its networks, or comes in from
// outside, may be a chain's; what is for the router itself is not.
func Scope(r *topology.Router, networks []*topology.Network) []openflow.Flow {
	var b builder
	id := RegRouter.Uint(uint64(r.Allocated.ID))
	for _, n := range networks {
		for _, eth := range []uint64{ethIPv4, ethIPv6} {
			b.goTo(TableScope, 100, match(network(n.Allocated.VNI), ethType(eth)), TableSteer,
				set(id), openflow.Resubmit{Table: TableFromInside}, openflow.Resubmit{Table: TableToInside})
		}
		for _, s := range n.Allocated.Subnets {
			f := fieldsOf(s.CIDR.Addr())
			found := openflow.Load{Value: uint64(n.Allocated.VNI), Dst: RegPosition, Ofs: foundShift, NBits: 24}
			b.add(TableFromInside, uint16(s.CIDR.Bits()), match(id, ethType(f.eth), f.src.Prefix(s.CIDR)), raise(FlagFromInside), found)
			b.add(TableToInside, uint16(s.CIDR.Bits()), match(id, ethType(f.eth), f.dst.Prefix(s.CIDR)), raise(FlagToInside), found)
			b.goTo(TableSteer, prioOwnSteer, match(id, ethType(f.eth), f.dst.Addr(s.Gateway)), TableUnsteered)
		}
	}
	return b.flows
}

// baseChain is the static part of the tables for chains.
func baseChain(b *builder) {
	b.goTo(TableClassify, 102, match(inPort(TunnelPort), openflow.TunID.UintMask(chainVNIs, chainVNIs)), TableArrival,
		openflow.Move{Src: openflow.TunID, Dst: RegPosition, NBits: 24})
	// What an instance of a function sends as itself, and what is for many, is in no chain.
	b.goTo(TableScope, 200, match(flagged(FlagItself)), TableUnsteered)
	b.goTo(TableScope, 200, match(toMany), TableUnsteered)
	b.goTo(TableScope, 200, match(ethType(ethIPv6), openflow.IPv6Dst.Prefix(netip.MustParsePrefix("fe80::/10"))), TableUnsteered)
	b.goTo(TableScope, 0, nil, TableUnsteered)
	b.goTo(TableSteer, 0, nil, TableUnsteered)
	b.goTo(TableUnsteered, 10, match(fromOutside), TableRoute)
	b.goTo(TableUnsteered, 0, nil, TableAdmit)
	// From outside it has MACs that mean nothing here, and is owed no errors any more.
	b.goTo(TableBegin, 10, match(fromOutside), TableNext, set(openflow.EthSrc.MAC(outsideMAC)), set(openflow.EthDst.MAC(GatewayMAC)),
		set(RegExternal.Uint(0)), set(RegSource4.Uint(0)), set(RegSource6.Addr(netip.IPv6Unspecified())))
	b.goTo(TableBegin, 0, nil, TableNext)
	// An instance that a connection knows and that is none any more: it chooses again.
	b.goTo(TableHop, 0, nil, TableChoose, set(instance(0)))
	// One try is enough: what was chosen has an end that only this host knows to be dead.
	b.goTo(TableChoose, 200, match(flagged(FlagChosen)), TableFailed)
	b.add(TableLanding, 0, nil, openflow.Resubmit{Table: TableFailed})
	b.add(TableOnward, 10, match(RegNetwork.Uint(0)), openflow.Resubmit{Table: TableRoute})
	b.add(TableOnward, 0, nil, openflow.Resubmit{Table: TableAdmit})
	b.add(TableSend, 0, nil, sendPosition(openflow.Move{Src: RegInstance, Dst: openflow.TunID, NBits: instanceBits})...)
	// Who passes on what he cannot give to its instance leaves it open to which one it goes.
	b.add(TableSend, 10, match(flagged(FlagAstray)), sendPosition(openflow.Load{Dst: openflow.TunID, NBits: instanceBits})...)
	b.add(TableEncap, 0, nil, openflow.Move{Src: RegNetwork, Dst: openflow.TunID, NBits: 24}, openflow.Output{Port: TunnelPort})
	b.add(TableEncap, 10, match(inChain), openflow.Move{Src: RegPosition, Dst: openflow.TunID, NBits: 24}, openflow.Output{Port: TunnelPort})
}

// sendPosition sends the packet to another host, with its position and an instance.
func sendPosition(which openflow.Action) []openflow.Action {
	return actions(openflow.Move{Src: RegPosition, Dst: openflow.TunID, NBits: 24}, which, openflow.Output{Port: TunnelPort})
}
