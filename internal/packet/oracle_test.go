package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// gopacket is the oracle: it builds what goes in and judges what comes out.

var (
	macA = [6]byte{2, 0, 0, 0, 0, 0xa}
	macB = [6]byte{2, 0, 0, 0, 0, 0xb}
	macR = [6]byte{2, 0, 0, 0, 0, 1}

	// A is a host, P its public address, B a host outside, R a router.
	a4, a6 = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	p4, p6 = netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("2001:db8:5::77:9")
	b4, b6 = netip.MustParseAddr("198.51.100.2"), netip.MustParseAddr("2001:db8:b::2")
	r4, r6 = netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:b::1")
)

func build(t testing.TB, l ...gopacket.SerializableLayer) []byte {
	t.Helper()
	// gopacket pads short Ethernet frames: only the rest is left to it.
	eth := l[0].(*layers.Ethernet)
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, l[1:]...); err != nil {
		t.Fatal(err)
	}
	frame := slices.Concat([]byte(eth.DstMAC), []byte(eth.SrcMAC), []byte{byte(eth.EthernetType >> 8), byte(eth.EthernetType)})
	return append(frame, buf.Bytes()...)
}

// between makes the headers of a packet from one address to another.
func between(src, dst netip.Addr, proto layers.IPProtocol) (layers.Ethernet, gopacket.NetworkLayer) {
	eth := layers.Ethernet{SrcMAC: macA[:], DstMAC: macR[:], EthernetType: layers.EthernetTypeIPv6}
	if !src.Is4() {
		return eth, &layers.IPv6{Version: 6, HopLimit: 9, NextHeader: proto, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	}
	eth.EthernetType = layers.EthernetTypeIPv4
	return eth, &layers.IPv4{Version: 4, Id: 77, TTL: 9, Protocol: proto, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
}

func udpFrame(t testing.TB, src, dst netip.Addr, sport, dport uint16, n int) []byte {
	t.Helper()
	eth, ip := between(src, dst, layers.IPProtocolUDP)
	udp := &layers.UDP{SrcPort: layers.UDPPort(sport), DstPort: layers.UDPPort(dport)}
	_ = udp.SetNetworkLayerForChecksum(ip)
	return build(t, &eth, ip.(gopacket.SerializableLayer), udp, gopacket.Payload(bytes.Repeat([]byte{0xa5}, n)))
}

func tcpFrame(t testing.TB, src, dst netip.Addr, tcp layers.TCP, n int) []byte {
	t.Helper()
	eth, ip := between(src, dst, layers.IPProtocolTCP)
	_ = tcp.SetNetworkLayerForChecksum(ip)
	return build(t, &eth, ip.(gopacket.SerializableLayer), &tcp, gopacket.Payload(bytes.Repeat([]byte{0x5a}, n)))
}

// echoFrame is an echo request, or with another type any ICMP message.
func echoFrame(t testing.TB, src, dst netip.Addr, typ uint8) []byte {
	t.Helper()
	if src.Is4() {
		eth, ip := between(src, dst, layers.IPProtocolICMPv4)
		return build(t, &eth, ip.(gopacket.SerializableLayer), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, 0), Id: 5, Seq: 6}, gopacket.Payload("ping"))
	}
	eth, ip := between(src, dst, layers.IPProtocolICMPv6)
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, 0)}
	_ = icmp.SetNetworkLayerForChecksum(ip)
	return build(t, &eth, ip.(gopacket.SerializableLayer), icmp, gopacket.Payload("\x00\x05\x00\x06ping"))
}

// errorFrame is the ICMP error about a frame that a router sends to dst, built
// without this package. It quotes at most n bytes.
func errorFrame(t testing.TB, frame []byte, src, dst netip.Addr, typ, code uint8, n int) []byte {
	t.Helper()
	quote := frame[ethLen:]
	quote = quote[:min(n, len(quote))]
	if src.Is4() {
		eth, ip := between(src, dst, layers.IPProtocolICMPv4)
		return build(t, &eth, ip.(gopacket.SerializableLayer), &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(typ, code)}, gopacket.Payload(quote))
	}
	eth, ip := between(src, dst, layers.IPProtocolICMPv6)
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, code)}
	_ = icmp.SetNetworkLayerForChecksum(ip)
	return build(t, &eth, ip.(gopacket.SerializableLayer), icmp, gopacket.Payload(append(make([]byte, 4), quote...)))
}

// judge fails the test unless gopacket can read all of a frame and makes the same
// lengths and checksums of it.
func judge(t testing.TB, frame []byte) gopacket.Packet {
	t.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if e := p.ErrorLayer(); e != nil {
		t.Fatalf("unreadable: %v\n%x", e.Error(), frame)
	}
	var again []gopacket.SerializableLayer
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.TCP:
			_ = l.SetNetworkLayerForChecksum(p.NetworkLayer())
		case *layers.UDP:
			_ = l.SetNetworkLayerForChecksum(p.NetworkLayer())
		case *layers.ICMPv6:
			_ = l.SetNetworkLayerForChecksum(p.NetworkLayer())
			again = append(again, l, gopacket.Payload(l.Payload))
		}
		if _, done := l.(*layers.ICMPv6); done {
			break
		}
		again = append(again, l.(gopacket.SerializableLayer))
	}
	if want := build(t, again...); !bytes.Equal(want, frame) {
		t.Fatalf("gopacket makes other lengths or checksums of it:\n got %x\nwant %x", frame, want)
	}
	return p
}
