package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// GatewayMAC is the MAC of every router in every network: a distributed
// router answers on each host, so that its MAC never moves.
var GatewayMAC = [6]byte(topology.GatewayMAC)

// Priorities with a meaning beyond their table's order.
const (
	prioOwnSteer   = 40000 // in steer: a router's own addresses
	prioEcho       = 1200  // in route and enter: a router's own addresses
	prioOwn        = 1100
	prioTTL        = 1050
	prioService    = 1020 // in route: services outside
	prioLinkLocal  = 1000
	prioRouteFirst = 100 // in route: + 2 × prefix length, + 1 if connected
	prioLocal      = 200 // in forward
	prioTunnelStop = 150
	prioRemote     = 100
)

// builder collects flows.
type builder struct{ flows []openflow.Flow }

func (b *builder) addFlow(f openflow.Flow) { b.flows = append(b.flows, f) }

// add ends the packet's way after the actions; none means drop.
func (b *builder) add(table uint8, priority uint16, m openflow.Match, a ...openflow.Action) {
	b.addFlow(openflow.Flow{Table: table, Priority: priority, Match: m, Actions: a})
}

func (b *builder) goTo(table uint8, priority uint16, m openflow.Match, next uint8, a ...openflow.Action) {
	b.addFlow(openflow.Flow{Table: table, Priority: priority, Match: m, Actions: a, Goto: next})
}

// icmpError has the packet answered with an ICMP error of the type and code.
func (b *builder) icmpError(table uint8, priority uint16, m openflow.Match, typ, code uint64) {
	b.goTo(table, priority, m, TableICMPError, openflow.SetField{FieldValue: RegICMP.Uint(typ<<8 | code)})
}

func match(f ...openflow.FieldValue) openflow.Match { return f }

func actions(a ...openflow.Action) []openflow.Action { return a }

func inPort(p uint32) openflow.FieldValue { return openflow.InPort.Uint(uint64(p)) }

func ethType(t uint64) openflow.FieldValue { return openflow.EthType.Uint(t) }

func network(vni uint32) openflow.FieldValue { return RegNetwork.Uint(uint64(vni)) }

func flagged(bit int) openflow.FieldValue { return RegFlags.UintMask(1<<bit, 1<<bit) }

func lowered(bit int) openflow.FieldValue { return RegFlags.UintMask(0, 1<<bit) }

func raise(bit int) openflow.Action {
	return openflow.Load{Value: 1, Dst: RegFlags, Ofs: bit, NBits: 1}
}

// copyField copies a whole field into another that is as wide.
func copyField(src, dst openflow.Field) openflow.Action {
	return openflow.Move{Src: src, Dst: dst, NBits: src.Bits()}
}

// clearInPort lets the packet go out where it came in, and through the tunnel that it
// came from.
func clearInPort() openflow.Action { return openflow.Load{Dst: openflow.InPort, NBits: 32} }

// wholePacket is OFPCML_NO_BUFFER (OpenFlow 1.3.5, 7.4.1): nothing is cut off.
const wholePacket = 0xffff

// toController sends the whole packet up.
func (b *builder) toController(table uint8, priority uint16, meter uint32, m openflow.Match, why Reason) {
	b.addFlow(openflow.Flow{
		Table: table, Priority: priority, Meter: meter, Match: m,
		Actions: actions(openflow.SetField{FieldValue: RegReason.Uint(uint64(why))}, openflow.ToController{MaxLen: wholePacket}),
	})
}

func set(v openflow.FieldValue) openflow.Action { return openflow.SetField{FieldValue: v} }

// ipFields are the names of one IP version.
type ipFields struct {
	eth         uint64
	src, dst    openflow.Field
	hop, source openflow.Field
	icmp        uint64
	icmpType    openflow.Field
}

func fieldsOf(a netip.Addr) ipFields {
	if a.Is4() {
		return ipFields{ethIPv4, openflow.IPv4Src, openflow.IPv4Dst, RegNextHop4, RegSource4, protoICMP, openflow.ICMPv4Type}
	}
	return ipFields{ethIPv6, openflow.IPv6Src, openflow.IPv6Dst, RegNextHop6, RegSource6, protoICMP6, openflow.ICMPv6Type}
}

// with is a copy of the match with more fields.
func with(m openflow.Match, f ...openflow.FieldValue) openflow.Match {
	return append(m[:len(m):len(m)], f...)
}

func icmp6(typ uint64) openflow.Match {
	return match(ethType(ethIPv6), openflow.IPProto.Uint(protoICMP6), openflow.ICMPv6Type.Uint(typ))
}

func tunSrc(a netip.Addr) openflow.FieldValue {
	if a.Is4() {
		return openflow.TunIPv4Src.Addr(a)
	}
	return openflow.TunIPv6Src.Addr(a)
}

func tunDst(a netip.Addr) openflow.FieldValue {
	if a.Is4() {
		return openflow.TunIPv4Dst.Addr(a)
	}
	return openflow.TunIPv6Dst.Addr(a)
}

// nextHop is what the neighbour table is asked for.
func nextHop(a netip.Addr) openflow.FieldValue {
	if a.Is4() {
		return RegNextHop4.Addr(a)
	}
	return RegNextHop6.Addr(a)
}

func nextHopPrefix(p netip.Prefix) openflow.FieldValue {
	if p.Addr().Is4() {
		return RegNextHop4.Prefix(p)
	}
	return RegNextHop6.Prefix(p)
}
