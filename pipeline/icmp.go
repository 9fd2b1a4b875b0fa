package pipeline

import (
	"encoding/binary"
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// What an ICMP error quotes of the packet, so that it is at most 576 bytes in IPv4
// (RFC 1812, 4.3.2.3) and fits the smallest MTU in IPv6 (RFC 4443, 2.4c).
const (
	quote4 = 576 - 20 - 8
	quote6 = 1280 - 40 - 8
	// icmpQuote is what a switch is asked to send up for that. Open vSwitch may send
	// more.
	icmpQuote = 14 + quote6
)

// ICMPError writes the ICMP error that a router owes for a packet that the
// icmp-error table sent up: the frame, and the port of the endpoint that gets it.
// ok is false when none is owed.
func ICMPError(pkt openflow.PacketIn) (port uint32, frame []byte, ok bool) {
	in, found := field(pkt.Fields, openflow.InPort)
	if !found || len(pkt.Data) < 14 || pkt.Data[6]&1 != 0 {
		return 0, nil, false
	}
	reason, _ := field(pkt.Fields, RegICMP)
	code := binary.BigEndian.Uint32(reason.Value[:4])
	eth := layers.Ethernet{SrcMAC: GatewayMAC[:], DstMAC: pkt.Data[6:12]}
	packet := pkt.Data[14:]
	var err error
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	switch binary.BigEndian.Uint16(pkt.Data[12:14]) {
	case ethIPv4:
		source, _ := field(pkt.Fields, RegSource4)
		src, dst := netip.AddrFrom4([4]byte(source.Value[:4])), sourceOf(packet, 12, 4)
		if !answerable(src, dst) {
			return 0, nil, false
		}
		eth.EthernetType = layers.EthernetTypeIPv4
		ip := layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
		icmp := layers.ICMPv4{TypeCode: layers.ICMPv4TypeCode(code)}
		err = gopacket.SerializeLayers(buf, opts, &eth, &ip, &icmp, gopacket.Payload(packet[:min(len(packet), quote4)]))
	case ethIPv6:
		src, dst := netip.AddrFrom16(wideRegister(pkt.Fields, openflow.Reg8)), sourceOf(packet, 8, 16)
		if !answerable(src, dst) {
			return 0, nil, false
		}
		eth.EthernetType = layers.EthernetTypeIPv6
		ip := layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolICMPv6, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
		icmp := layers.ICMPv6{TypeCode: layers.ICMPv6TypeCode(code)}
		if err = icmp.SetNetworkLayerForChecksum(&ip); err == nil {
			// Four unused bytes precede the quoted packet (RFC 4443, 3.1).
			err = gopacket.SerializeLayers(buf, opts, &eth, &ip, &icmp, gopacket.Payload(append(make([]byte, 4), packet[:min(len(packet), quote6)]...)))
		}
	default:
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(in.Value[:4]), buf.Bytes(), err == nil
}

// answerable: an error goes from an address of the router to one of an endpoint
// (RFC 1122, 3.2.2).
func answerable(src, dst netip.Addr) bool {
	return src.IsValid() && !src.IsUnspecified() && dst.IsValid() && !dst.IsUnspecified() && !dst.IsMulticast() && !dst.IsLoopback()
}

// sourceOf reads the source address of an IP packet, or returns the zero Addr.
func sourceOf(packet []byte, offset, size int) netip.Addr {
	if len(packet) < offset+2*size {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(packet[offset : offset+size])
	return a
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
