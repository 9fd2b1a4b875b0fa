package openflow

import (
	"net/netip"
	"strconv"
)

// appendCT prints what ovs-ofctl does, in its order.
func appendCT(b []byte, a CT) []byte {
	b = append(b, "ct("...)
	start := len(b)
	if a.Commit {
		b = append(b, "commit,"...)
	}
	if a.Force {
		b = append(b, "force,"...)
	}
	if a.Table != 0 {
		b = append(strconv.AppendUint(append(b, "table="...), uint64(a.Table), 10), ',')
	}
	if a.ZoneField != 0 {
		b = append(appendSubfield(append(b, "zone="...), a.ZoneField, a.ZoneOfs, zoneBits), ',')
	} else if a.Zone != 0 {
		b = append(strconv.AppendUint(append(b, "zone="...), uint64(a.Zone), 10), ',')
	}
	if a.NAT.Kind != NATNone {
		b = append(appendNAT(b, a.NAT.single()), ',')
	}
	if exec := a.execActions(); len(exec) > 0 {
		b = appendActions(append(b, "exec("...), exec)
		b[len(b)-1] = ')'
		b = append(b, ',')
	}
	if len(b) > start {
		b = b[:len(b)-1]
	}
	return append(b, ')')
}

func appendNAT(b []byte, n NAT) []byte {
	b = append(b, "nat"...)
	switch n.Kind {
	case NATSource:
		b = append(b, "(src="...)
	case NATDest:
		b = append(b, "(dst="...)
	default:
		return b
	}
	b = n.appendNATAddr(b, n.Min)
	if n.Max.IsValid() {
		b = n.appendNATAddr(append(b, '-'), n.Max)
	}
	if n.PortMin != 0 {
		b = strconv.AppendUint(append(b, ':'), uint64(n.PortMin), 10)
	}
	if n.PortMax != 0 {
		b = strconv.AppendUint(append(b, '-'), uint64(n.PortMax), 10)
	}
	return append(b, ')')
}

// appendNATAddr prints an address, an IPv6 one before a port in brackets.
func (n NAT) appendNATAddr(b []byte, a netip.Addr) []byte {
	if !a.Is6() || n.PortMin == 0 {
		return appendAddr(b, a.AsSlice())
	}
	return append(appendAddr(append(b, '['), a.AsSlice()), ']')
}
