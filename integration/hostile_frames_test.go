package integration

import (
	"bytes"
	"net"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// hostileFrames are frames with honest addresses that nobody may get all the same:
// what only a router may say, what hides behind a tag or an extension header, and
// what is neither ARP nor IP.
func hostileFrames(f frameFields) map[string][]byte {
	return map[string][]byte{
		"VLAN tag":                               tagged(f, layers.EthernetTypeDot1Q),
		"provider tag":                           tagged(f, layers.EthernetTypeQinQ),
		"two tags":                               doubleTagged(f),
		"LLDP":                                   otherFrame(f, 0x88cc),
		"MPLS":                                   otherFrame(f, 0x8847),
		"RARP":                                   otherFrame(f, 0x8035),
		"a probe of tunnels":                     otherFrame(f, 0x88b5),
		"router advertisement":                   routerAdvertisement(f),
		"router advertisement behind hop-by-hop": routerAdvertisement(f, layers.IPProtocolIPv6HopByHop),
		"router advertisement behind two headers": routerAdvertisement(f, layers.IPProtocolIPv6HopByHop, layers.IPProtocolIPv6Destination),
		"router advertisement as first fragment":  routerAdvertisement(f, layers.IPProtocolIPv6Fragment),
		"advertisement as first fragment":         icmp6Frame(f, layers.ICMPv6TypeNeighborAdvertisement, bytes.Repeat([]byte("hostile."), 3), layers.IPProtocolIPv6Fragment),
		"router advertisement without a length":   withoutLength(routerAdvertisement(f, layers.IPProtocolIPv6HopByHop)),
		"gateway advertised without a length":     withoutLength(gatewayAdvertisement(f)),
		"a header longer than the packet":         withLongHeader(routerAdvertisement(f, layers.IPProtocolIPv6HopByHop)),
		"redirect":                                icmp6Frame(f, layers.ICMPv6TypeRedirect, bytes.Repeat([]byte("hostile."), 5)),
		"ARP of another kind":                     arpFrame(f, 9),
	}
}

func tagged(f frameFields, tag layers.EthernetType) []byte {
	frame := udpFrame(f)
	return append(append(append([]byte{}, frame[:12]...), byte(tag>>8), byte(tag), 0, 5), frame[12:]...)
}

func doubleTagged(f frameFields) []byte {
	frame := tagged(f, layers.EthernetTypeDot1Q)
	return append(append(append([]byte{}, frame[:12]...), 0x88, 0xa8, 0, 7), frame[12:]...)
}

func otherFrame(f frameFields, etherType layers.EthernetType) []byte {
	return serialize(&layers.Ethernet{SrcMAC: mac(f.srcMAC), DstMAC: mac(f.dstMAC), EthernetType: etherType}, gopacket.Payload(bytes.Repeat([]byte("hostile."), 6)))
}

func arpFrame(f frameFields, operation uint16) []byte {
	frame := arpReplyFrame(f, f.srcMAC)
	frame[20], frame[21] = byte(operation>>8), byte(operation)
	return frame
}

// routerAdvertisement says that its sender is the default router for half an hour.
func routerAdvertisement(f frameFields, extensions ...layers.IPProtocol) []byte {
	return icmp6Frame(f, layers.ICMPv6TypeRouterAdvertisement, []byte{64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}, extensions...)
}

// gatewayAdvertisement says, behind an extension header, that the gateway is at the
// sender's MAC.
func gatewayAdvertisement(f frameFields) []byte {
	body := append([]byte{0xe0, 0, 0, 0}, net.ParseIP("fd00:1::1")...)
	return icmp6Frame(f, layers.ICMPv6TypeNeighborAdvertisement, append(append(body, 2, 1), mac(f.srcMAC)...), layers.IPProtocolIPv6HopByHop)
}

// withoutLength says that the IPv6 payload has no bytes. Open vSwitch then looks no
// further, and Linux goes on to what follows the hop-by-hop header.
func withoutLength(frame []byte) []byte {
	frame[18], frame[19] = 0, 0
	return frame
}

// withLongHeader has an extension header that ends behind the packet.
func withLongHeader(frame []byte) []byte {
	frame[14+40+1] = 200
	return frame
}

// icmp6Frame is an ICMPv6 message behind extension headers of eight bytes each.
func icmp6Frame(f frameFields, typ uint8, body []byte, extensions ...layers.IPProtocol) []byte {
	ip := &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolICMPv6, SrcIP: net.ParseIP(f.srcIP6), DstIP: net.ParseIP(f.dstIP6)}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, 0)}
	_ = icmp.SetNetworkLayerForChecksum(ip)
	payload := serialize(icmp, gopacket.Payload(body))
	for i := len(extensions) - 1; i >= 0; i-- {
		next := byte(layers.IPProtocolICMPv6)
		if i+1 < len(extensions) {
			next = byte(extensions[i+1])
		}
		header := []byte{next, 0, 1, 4, 0, 0, 0, 0} // one option: padding
		if extensions[i] == layers.IPProtocolIPv6Fragment {
			header = []byte{next, 0, 0, 1, 0, 0, 0, 7} // at 0, and more to come
		}
		payload = append(header, payload...)
	}
	if len(extensions) > 0 {
		ip.NextHeader = extensions[0]
	}
	eth := &layers.Ethernet{SrcMAC: mac(f.srcMAC), DstMAC: mac(f.dstMAC), EthernetType: layers.EthernetTypeIPv6}
	return serialize(eth, ip, gopacket.Payload(payload))
}
