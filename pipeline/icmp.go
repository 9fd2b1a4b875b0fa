package pipeline

import (
	"encoding/binary"
	"net/netip"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
)

// ICMPError writes the ICMP error that a router owes for a packet that the
// icmp-error table sent up: the frame, and what sends it to the endpoint or, about a
// packet from outside, back there. ok is false when none is owed.
func ICMPError(pkt openflow.PacketIn) (frame []byte, a []openflow.Action, ok bool) {
	in, found := field(pkt.Fields, openflow.InPort)
	if !found || len(pkt.Data) < 14 {
		return nil, nil, false
	}
	mac, a := GatewayMAC, actions(openflow.Output{Port: binary.BigEndian.Uint32(in.Value[:4])})
	if ext, _ := field(pkt.Fields, RegExternal); ext.Value != [16]byte{} {
		mac = [6]byte(pkt.Data)
		a = actions(set(outside(binary.BigEndian.Uint32(ext.Value[:4]))), openflow.Resubmit{Table: TableToOutside})
	}
	reason, _ := field(pkt.Fields, RegICMP)
	code := binary.BigEndian.Uint32(reason.Value[:4])
	src := netip.AddrFrom16(wideRegister(pkt.Fields, openflow.Reg8))
	if binary.BigEndian.Uint16(pkt.Data[12:]) == ethIPv4 {
		source, _ := field(pkt.Fields, RegSource4)
		src = netip.AddrFrom4([4]byte(source.Value[:4]))
	}
	frame, ok = packet.ICMPError(pkt.Data, src, uint8(code>>8), uint8(code), code>>16, mac, [6]byte(pkt.Data[6:]))
	return frame, a, ok
}

// field finds a field of a match.
func field(m openflow.Match, f openflow.Field) (openflow.FieldValue, bool) {
	for _, v := range m {
		if v.Field == f {
			return v, true
		}
	}
	return openflow.FieldValue{}, false
}

// wideRegister puts together a 128-bit register, which a switch reports as the
// four of 32 bits from first on.
func wideRegister(m openflow.Match, first openflow.Field) (v [16]byte) {
	for i := range openflow.Field(4) {
		r, _ := field(m, first+i)
		copy(v[4*i:4*i+4], r.Value[:4])
	}
	return v
}
