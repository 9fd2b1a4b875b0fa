package integration

import (
	"net"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// frameFields are what a forged frame says.
type frameFields struct {
	srcMAC, dstMAC string
	srcIP, dstIP   string
	srcIP6, dstIP6 string
}

// with returns a changed copy.
func (f frameFields) with(change func(*frameFields)) frameFields {
	change(&f)
	return f
}

func mac(s string) net.HardwareAddr {
	hw, err := net.ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return hw
}

func serialize(l ...gopacket.SerializableLayer) []byte {
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, l...); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func udpFrame(f frameFields) []byte {
	eth := &layers.Ethernet{SrcMAC: mac(f.srcMAC), DstMAC: mac(f.dstMAC), EthernetType: layers.EthernetTypeIPv4}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.ParseIP(f.srcIP), DstIP: net.ParseIP(f.dstIP)}
	udp := &layers.UDP{SrcPort: 1234, DstPort: 9}
	_ = udp.SetNetworkLayerForChecksum(ip)
	return serialize(eth, ip, udp, gopacket.Payload("spoofed or not"))
}

func udp6Frame(f frameFields) []byte {
	eth := &layers.Ethernet{SrcMAC: mac(f.srcMAC), DstMAC: mac(f.dstMAC), EthernetType: layers.EthernetTypeIPv6}
	ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: net.ParseIP(f.srcIP6), DstIP: net.ParseIP(f.dstIP6)}
	udp := &layers.UDP{SrcPort: 1234, DstPort: 9}
	_ = udp.SetNetworkLayerForChecksum(ip)
	return serialize(eth, ip, udp, gopacket.Payload("spoofed or not"))
}

// arpReplyFrame claims that srcIP is at the hardware address.
func arpReplyFrame(f frameFields, hardware string) []byte {
	eth := &layers.Ethernet{SrcMAC: mac(f.srcMAC), DstMAC: mac(f.dstMAC), EthernetType: layers.EthernetTypeARP}
	arp := &layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPReply,
		SourceHwAddress: mac(hardware), SourceProtAddress: net.ParseIP(f.srcIP).To4(),
		DstHwAddress: mac(f.dstMAC), DstProtAddress: net.ParseIP(f.dstIP).To4(),
	}
	return serialize(eth, arp)
}

// advertisementFrame claims that target is at the hardware address.
func advertisementFrame(f frameFields, target, hardware string) []byte {
	eth := &layers.Ethernet{SrcMAC: mac(f.srcMAC), DstMAC: mac(f.dstMAC), EthernetType: layers.EthernetTypeIPv6}
	ip := &layers.IPv6{Version: 6, HopLimit: 255, NextHeader: layers.IPProtocolICMPv6, SrcIP: net.ParseIP(f.srcIP6), DstIP: net.ParseIP(f.dstIP6)}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeNeighborAdvertisement, 0)}
	_ = icmp.SetNetworkLayerForChecksum(ip)
	na := &layers.ICMPv6NeighborAdvertisement{
		Flags: 0x60, TargetAddress: net.ParseIP(target),
		Options: layers.ICMPv6Options{{Type: layers.ICMPv6OptTargetAddress, Data: mac(hardware)}},
	}
	return serialize(eth, ip, icmp, na)
}
