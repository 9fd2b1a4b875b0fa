package pipeline

import (
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Side is one side of a chain, as addresses.
type Side struct {
	// Any is everything, inside and outside.
	Any bool
	// Prefixes are addresses inside or outside, each once, sorted.
	Prefixes []netip.Prefix
	// External is everything that is in no subnet of the router's networks.
	External bool
}

// conditions are the ways to be on the side as the source of a packet, or as its
// destination, of one IP version.
func (s Side) conditions(is4, source bool) [][]openflow.FieldValue {
	if s.Any {
		return [][]openflow.FieldValue{nil}
	}
	var list [][]openflow.FieldValue
	for _, p := range s.Prefixes {
		if p.Addr().Is4() != is4 {
			continue
		}
		f := fieldsOf(p.Addr())
		field := f.dst
		if source {
			field = f.src
		}
		list = append(list, match(field.Prefix(p)))
	}
	if s.External {
		flag := FlagToInside
		if source {
			flag = FlagFromInside
		}
		list = append(list, match(lowered(flag)))
	}
	return list
}

// classifier says which packets of one direction are a chain's.
type classifier struct {
	from, to Side
	protocol string
	ports    []topology.PortRange // of to, or of from if back
	back     bool
}

// transport are the ways to be of the protocol and ports. A later fragment has no ports,
// and so goes where its protocol goes.
func (c classifier) transport(is4 bool) [][]openflow.FieldValue {
	var proto uint64
	src, dst := openflow.TCPSrc, openflow.TCPDst
	switch c.protocol {
	case "tcp":
		proto = protoTCP
	case "udp":
		proto, src, dst = protoUDP, openflow.UDPSrc, openflow.UDPDst
	case "icmp":
		proto = protoICMP6
		if is4 {
			proto = protoICMP
		}
	default:
		return [][]openflow.FieldValue{nil}
	}
	is := openflow.IPProto.Uint(proto)
	if len(c.ports) == 0 {
		return [][]openflow.FieldValue{match(is)}
	}
	field := dst
	if c.back {
		field = src
	}
	var list [][]openflow.FieldValue
	for _, r := range c.ports {
		for _, m := range portMasks(r) {
			list = append(list, match(is, field.UintMask(uint64(m.value), uint64(m.mask))))
		}
	}
	return append(list, match(is, openflow.IPFrag.UintMask(fragLater, fragLater)))
}

// fragLater is the bit of ip_frag of all fragments but the first.
const fragLater = 2

type portMask struct{ value, mask uint16 }

// portMasks divides a range into the fewest blocks that a mask can match.
func portMasks(r topology.PortRange) []portMask {
	var list []portMask
	for first, last := uint32(r.First), uint32(r.Last); first <= last; {
		size := uint32(1)
		for first&(2*size-1) == 0 && first+2*size-1 <= last {
			size *= 2
		}
		list = append(list, portMask{uint16(first), uint16(0xffff &^ (size - 1))})
		first += size
	}
	return list
}

// classify adds the flows that match what is the chain's. base is matched besides, and
// id tells conjunctions of one table apart.
//
// Every combination of a source, a destination and a port could be a flow. Where that
// would be many, a flow each does, by conjunctions (ovs-fields(7)).
func (b *builder) classify(c classifier, id uint32, table uint8, priority uint16, base openflow.Match, next uint8, a ...openflow.Action) {
	for _, is4 := range []bool{true, false} {
		version, eth := uint32(0), uint64(ethIPv4)
		if !is4 {
			version, eth = 1, ethIPv6
		}
		b.oneVersion(id<<1|version, table, priority, with(base, ethType(eth)), next, a,
			c.from.conditions(is4, true), c.to.conditions(is4, false), c.transport(is4))
	}
}

func (b *builder) oneVersion(id uint32, table uint8, priority uint16, base openflow.Match, next uint8, a []openflow.Action, clauses ...[][]openflow.FieldValue) {
	product, sum := 1, 0
	var several [][][]openflow.FieldValue
	for _, c := range clauses {
		product *= len(c)
		if len(c) == 1 {
			base = with(base, c[0]...)
		} else {
			several = append(several, c)
			sum += len(c)
		}
	}
	switch {
	case product == 0:
	case len(several) == 0:
		b.goTo(table, priority, base, next, a...)
	case len(several) == 1:
		for _, way := range several[0] {
			b.goTo(table, priority, with(base, way...), next, a...)
		}
	case product <= sum+1:
		rest := several[1:]
		for _, way := range several[0] {
			b.oneVersion(id, table, priority, with(base, way...), next, a, rest...)
		}
	default:
		for i, c := range several {
			for _, way := range c {
				b.add(table, priority, with(base, way...), openflow.Conjunction{ID: id, Clause: uint8(i + 1), Clauses: uint8(len(several))})
			}
		}
		b.goTo(table, priority, with(base, openflow.ConjID.Uint(uint64(id))), next, a...)
	}
}
