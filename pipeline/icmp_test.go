package pipeline

import (
	"bytes"
	"net"
	"testing"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func ipv4Packet(t testing.TB, payload int) []byte {
	t.Helper()
	return packetOf(t,
		&layers.Ethernet{SrcMAC: web1.Allocated.MAC[:], DstMAC: GatewayMAC[:], EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, TTL: 1, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{10, 0, 0, 10}, DstIP: net.IP{10, 0, 1, 20}},
		gopacket.Payload(make([]byte, payload)))
}

func ipv6Packet(t testing.TB, payload int) []byte {
	t.Helper()
	return packetOf(t,
		&layers.Ethernet{SrcMAC: web1.Allocated.MAC[:], DstMAC: GatewayMAC[:], EthernetType: layers.EthernetTypeIPv6},
		&layers.IPv6{Version: 6, HopLimit: 1, NextHeader: layers.IPProtocolUDP, SrcIP: net.ParseIP("fd00:1::10"), DstIP: net.ParseIP("fd00:2::20")},
		gopacket.Payload(make([]byte, payload)))
}

func packetOf(t testing.TB, l ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, l...); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestICMPErrorForIPv4(t *testing.T) {
	in := ipv4Packet(t, 1400)
	frame, out, ok := ICMPError(openflow.PacketIn{
		Fields: openflow.Match{openflow.InPort.Uint(10), RegICMP.Uint(11 << 8), RegSource4.Uint(0x0a000001)}, Data: in})
	if want := "output:10"; !ok || openflow.ActionsString(out) != want {
		t.Fatalf("ok %v, %s, want %s", ok, openflow.ActionsString(out), want)
	}
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	ip, _ := p.NetworkLayer().(*layers.IPv4)
	icmp, _ := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	if ip == nil || icmp == nil {
		t.Fatalf("not ICMP over IPv4: %v", p)
	}
	if !ip.SrcIP.Equal(net.IP{10, 0, 0, 1}) || !ip.DstIP.Equal(net.IP{10, 0, 0, 10}) || icmp.TypeCode != layers.CreateICMPv4TypeCode(11, 0) {
		t.Errorf("from %s to %s: %s", ip.SrcIP, ip.DstIP, icmp.TypeCode)
	}
	if int(ip.Length) != 576 {
		t.Errorf("the error has %d bytes, at most 576 are allowed and wanted", ip.Length)
	}
	if !bytes.HasPrefix(icmp.Payload, in[14:14+28]) {
		t.Error("it does not quote the packet")
	}
}

// About a packet from outside the error goes back there, and says which MTU fits.
func TestICMPErrorToOutside(t *testing.T) {
	in := ipv4Packet(t, 1480)
	frame, out, ok := ICMPError(openflow.PacketIn{
		Fields: openflow.Match{openflow.InPort.Uint(61000), RegICMP.Uint(1450<<16 | 3<<8 | 4), RegSource4.Uint(0xcb007102), RegExternal.Uint(externalBit | 7)}, Data: in})
	if want := "set_field:0x1000007->reg0,resubmit(,54)"; !ok || openflow.ActionsString(out) != want {
		t.Fatalf("ok %v, %s, want %s", ok, openflow.ActionsString(out), want)
	}
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	icmp, _ := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	if icmp == nil || icmp.TypeCode != layers.CreateICMPv4TypeCode(3, 4) || icmp.Seq != 1450 {
		t.Errorf("%v", p)
	}
	if !bytes.Equal(frame[:6], in[6:12]) || !bytes.Equal(frame[6:12], in[:6]) {
		t.Errorf("MACs %x, of the packet %x", frame[:12], in[:12])
	}
}

func TestICMPErrorForIPv6(t *testing.T) {
	in := ipv6Packet(t, 1400)
	frame, _, ok := ICMPError(openflow.PacketIn{
		Fields: openflow.Match{openflow.InPort.Uint(10), RegICMP.Uint(3 << 8), openflow.Reg8.Uint(0xfd000001), openflow.Reg11.Uint(1)}, Data: in})
	if !ok {
		t.Fatal("no answer")
	}
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	ip, _ := p.NetworkLayer().(*layers.IPv6)
	icmp, _ := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
	if ip == nil || icmp == nil {
		t.Fatalf("not ICMP over IPv6: %v", p)
	}
	if ip.SrcIP.String() != "fd00:1::1" || ip.DstIP.String() != "fd00:1::10" || icmp.TypeCode != layers.CreateICMPv6TypeCode(3, 0) {
		t.Errorf("from %s to %s: %s", ip.SrcIP, ip.DstIP, icmp.TypeCode)
	}
	if len(frame) != 14+1280 {
		t.Errorf("the frame has %d bytes, want %d", len(frame), 14+1280)
	}
}

func TestNoICMPErrorIsOwed(t *testing.T) {
	good := openflow.Match{openflow.InPort.Uint(10), RegICMP.Uint(11 << 8), RegSource4.Uint(0x0a000001)}
	broadcast := ipv4Packet(t, 10)
	broadcast[6] |= 1
	fromNowhere := ipv4Packet(t, 10)
	copy(fromNowhere[26:30], []byte{0, 0, 0, 0})
	for name, pkt := range map[string]openflow.PacketIn{
		"no source address":  {Fields: good[:2], Data: ipv4Packet(t, 10)},
		"no port":            {Fields: good[1:], Data: ipv4Packet(t, 10)},
		"group as sender":    {Fields: good, Data: broadcast},
		"unspecified sender": {Fields: good, Data: fromNowhere},
		"cut short":          {Fields: good, Data: ipv4Packet(t, 10)[:20]},
		"empty":              {Fields: good},
		"ARP":                {Fields: good, Data: append(make([]byte, 12), 8, 6, 0, 0)},
	} {
		if _, _, ok := ICMPError(pkt); ok {
			t.Errorf("%s: an error was written", name)
		}
	}
}

func TestProbesComeBack(t *testing.T) {
	frame, _ := Probe(0x1234567890abcdef, vtep2)
	if id, ok := ProbeID(openflow.PacketIn{Data: frame}); !ok || id != 0x1234567890abcdef {
		t.Errorf("id %x, ok %v", id, ok)
	}
	if len(frame) != ProbeLen {
		t.Errorf("a probe has %d bytes, want %d", len(frame), ProbeLen)
	}
}

// Whatever a switch sends up, nothing panics.
func FuzzPackets(f *testing.F) {
	f.Add(ipv4Packet(f, 10), uint32(10), uint32(11<<8))
	f.Add(ipv6Packet(f, 10), uint32(10), uint32(3<<8))
	frame, _ := Probe(1, vtep1)
	f.Add(frame, uint32(1), uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, port, reason uint32) {
		pkt := openflow.PacketIn{Data: data, Fields: openflow.Match{
			openflow.InPort.Uint(uint64(port)), RegICMP.Uint(uint64(reason)), RegSource4.Uint(1), openflow.Reg8.Uint(1)}}
		if out, _, ok := ICMPError(pkt); ok && len(out) > 14+1280 {
			t.Errorf("an error of %d bytes", len(out))
		}
		ProbeID(pkt)
	})
}
