package packet

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func arpFrame(t testing.TB, op uint16, sender netip.Addr, target netip.Addr, src, dst, targetMAC [6]byte) []byte {
	t.Helper()
	return build(t, &layers.Ethernet{SrcMAC: src[:], DstMAC: dst[:], EthernetType: layers.EthernetTypeARP},
		&layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: op,
			SourceHwAddress: src[:], SourceProtAddress: sender.AsSlice(), DstHwAddress: targetMAC[:], DstProtAddress: target.AsSlice(),
		})
}

// ndFrame is a solicitation or an advertisement with flags.
func ndFrame(t testing.TB, typ, flags uint8, src, dst, target netip.Addr, from, to [6]byte, options ...layers.ICMPv6Option) []byte {
	t.Helper()
	eth, ip := between(src, dst, layers.IPProtocolICMPv6)
	eth.SrcMAC, eth.DstMAC = from[:], to[:]
	ip.(*layers.IPv6).HopLimit = 255
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(typ, 0)}
	_ = icmp.SetNetworkLayerForChecksum(ip)
	slices.Reverse(options) // gopacket writes them from the last to the first
	var body gopacket.SerializableLayer = &layers.ICMPv6NeighborSolicitation{TargetAddress: target.AsSlice(), Options: options}
	if typ == ndAdvertisement {
		body = &layers.ICMPv6NeighborAdvertisement{Flags: flags, TargetAddress: target.AsSlice(), Options: options}
	}
	return build(t, &eth, ip.(gopacket.SerializableLayer), icmp, body)
}

func link(typ layers.ICMPv6Opt, mac [6]byte) layers.ICMPv6Option {
	return layers.ICMPv6Option{Type: typ, Data: mac[:]}
}

func TestQuestionsAndAnnouncements(t *testing.T) {
	zero, none := [6]byte{}, netip.IPv6Unspecified()
	group, groupMAC := netip.MustParseAddr("ff02::1:ff77:9"), [6]byte{0x33, 0x33, 0xff, 0x77, 0, 9}
	for name, c := range map[string]struct{ got, want []byte }{
		"ARP":                     {ARPRequest(macA, a4, p4, broadcast), arpFrame(t, 1, a4, p4, macA, broadcast, zero)},
		"ARP to one":              {ARPRequest(macA, a4, p4, macB), arpFrame(t, 1, a4, p4, macA, macB, zero)},
		"ARP for an IPv6 address": {ARPRequest(macA, a4, p6, macB), nil},
		"ARP from an IPv6 one":    {ARPRequest(macA, a6, p4, macB), nil},
		"solicitation":            {NeighbourSolicitation(macA, a6, p6, zero), ndFrame(t, 135, 0, a6, group, p6, macA, groupMAC, link(1, macA))},
		"solicitation to one":     {NeighbourSolicitation(macA, a6, p6, macB), ndFrame(t, 135, 0, a6, p6, p6, macA, macB, link(1, macA))},
		"detecting duplicates":    {NeighbourSolicitation(macA, none, p6, zero), ndFrame(t, 135, 0, none, group, p6, macA, groupMAC)},
		"solicitation for IPv4":   {NeighbourSolicitation(macA, a6, p4, zero), nil},
		"solicitation from IPv4":  {NeighbourSolicitation(macA, a4, p6, zero), nil},
		"announcement":            {Announcement(macA, p4), arpFrame(t, 1, p4, p4, macA, broadcast, zero)},
		"announcement, IPv6": {Announcement(macA, p6), ndFrame(t, 136, 0x20, p6, netip.MustParseAddr("ff02::1"), p6, macA,
			[6]byte{0x33, 0x33, 0, 0, 0, 1}, link(2, macA))},
		"announcement of nothing": {Announcement(macA, netip.Addr{}), nil},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s:\n got %x\nwant %x", name, c.got, c.want)
		}
	}
}

func TestNeighbours(t *testing.T) {
	all := netip.MustParseAddr("ff02::1")
	for name, c := range map[string]struct {
		in    []byte
		a     netip.Addr
		mac   [6]byte
		reply bool
	}{
		"ARP request":        {arpFrame(t, 1, a4, p4, macA, broadcast, [6]byte{}), a4, macA, false},
		"ARP reply":          {arpFrame(t, 2, a4, p4, macA, macB, macB), a4, macA, true},
		"with padding":       {append(arpFrame(t, 2, a4, p4, macA, macB, macB), make([]byte, 18)...), a4, macA, true},
		"solicitation":       {ndFrame(t, 135, 0, a6, p6, p6, macA, macB, link(1, macA)), a6, macA, false},
		"advertisement":      {ndFrame(t, 136, 0x60, a6, b6, p6, macA, macB, link(2, macB)), p6, macB, true},
		"announcement":       {ndFrame(t, 136, 0x20, a6, all, a6, macA, macB, link(2, macA)), a6, macA, true},
		"answer, no option":  {ndFrame(t, 136, 0x40, a6, b6, p6, macA, macB), p6, macA, true},
		"behind an option":   {ndFrame(t, 136, 0x60, a6, b6, p6, macA, macB, layers.ICMPv6Option{Type: 14, Data: make([]byte, 14)}, link(2, macB)), p6, macB, true},
		"first of two":       {ndFrame(t, 136, 0x60, a6, b6, p6, macA, macB, link(2, macB), link(2, macA)), p6, macB, true},
		"our own":            {Announcement(macB, p6), p6, macB, true},
		"our own, for IPv4":  {Announcement(macB, p4), p4, macB, false},
		"our own, a request": {NeighbourSolicitation(macB, a6, p6, [6]byte{}), a6, macB, false},
	} {
		a, mac, reply, ok := Neighbour(c.in)
		if !ok || a != c.a || mac != c.mac || reply != c.reply {
			t.Errorf("%s: %s is at %x, reply %v, ok %v", name, a, mac, reply, ok)
		}
	}
}

func TestNotNeighbours(t *testing.T) {
	all, zero, group := netip.MustParseAddr("ff02::1"), [6]byte{}, [6]byte{1, 2, 3, 4, 5, 6}
	arp := arpFrame(t, 2, a4, p4, macA, macB, macB)
	na := ndFrame(t, 136, 0x60, a6, b6, p6, macA, macB, link(2, macB))
	withHops := func(hops uint8) []byte { return edit(na, 14+7, hops) }
	coded := edit(na, 14+40+1, 1)
	sumICMP(coded[54:], a6, b6)
	cases := map[string][]byte{
		"nothing":                 nil,
		"UDP":                     udpFrame(t, a4, b4, 1, 2, 30),
		"UDP, IPv6":               udpFrame(t, a6, b6, 1, 2, 30),
		"ARP cut":                 arp[:41],
		"ARP of another link":     edit(arp, 15, 6),
		"ARP of another protocol": edit(arp, 16, 0x86, 0xdd),
		"other sizes":             edit(arp, 18, 8),
		"other sizes, too":        edit(arp, 19, 16),
		"other operation":         edit(arp, 20, 1, 2),
		"operation 3":             edit(arp, 21, 3),
		"another sender":          edit(arp, 6, macB[:]...),
		"ARP from a group":        arpFrame(t, 2, a4, p4, group, macB, macB),
		"ARP from no MAC":         arpFrame(t, 2, a4, p4, zero, macB, macB),
		"an ARP probe":            arpFrame(t, 1, netip.IPv4Unspecified(), p4, macA, broadcast, zero),
		"ARP for a group":         arpFrame(t, 2, netip.MustParseAddr("224.0.0.1"), p4, macA, macB, macB),
		"ARP for all":             arpFrame(t, 2, netip.MustParseAddr("255.255.255.255"), p4, macA, macB, macB),
		"ARP for loopback":        arpFrame(t, 2, netip.MustParseAddr("127.0.0.1"), p4, macA, macB, macB),
		"from afar":               withHops(254),
		"cut":                     na[:len(na)-1],
		"wrong checksum":          edit(na, 14+40+3, ^na[14+40+3]),
		"with a code":             coded,
		"too short":               ndFrame(t, 136, 0x60, a6, b6, p6, macA, macB)[:14+40+23],
		"an echo":                 echoFrame(t, a6, b6, 128),
		"announcement, no option": ndFrame(t, 136, 0x20, a6, b6, p6, macA, macB),
		"announcement, other":     ndFrame(t, 136, 0x20, a6, b6, p6, macA, macB, link(1, macA)),
		"solicitation, no option": ndFrame(t, 135, 0, a6, p6, p6, macA, macB),
		"solicitation, other":     ndFrame(t, 135, 0, a6, p6, p6, macA, macB, link(2, macA)),
		"detecting duplicates":    ndFrame(t, 135, 0, netip.IPv6Unspecified(), all, p6, macA, macB, link(1, macA)),
		"solicited, yet to all":   ndFrame(t, 136, 0x60, a6, all, a6, macA, macB, link(2, macA)),
		"target is a group":       ndFrame(t, 136, 0x20, a6, b6, all, macA, macB, link(2, macA)),
		"target is nobody":        ndFrame(t, 136, 0x20, a6, b6, netip.IPv6Unspecified(), macA, macB, link(2, macA)),
		"target is loopback":      ndFrame(t, 136, 0x20, a6, b6, netip.IPv6Loopback(), macA, macB, link(2, macA)),
		"at a group":              ndFrame(t, 136, 0x20, a6, b6, p6, macA, macB, link(2, group)),
		"at no MAC":               ndFrame(t, 136, 0x20, a6, b6, p6, macA, macB, link(2, zero)),
		"frame from a group":      ndFrame(t, 136, 0x20, a6, b6, p6, group, macB, link(2, macB)),
		"behind a header":         extended(na, 60, 0, 0, 1, 4, 0, 0, 0, 0),
	}
	for name, in := range cases {
		if a, mac, _, ok := Neighbour(in); ok {
			t.Errorf("%s: %s is at %x", name, a, mac)
		}
	}
	// An option of no length, or one that ends beyond the message; the checksum is right.
	for _, length := range []byte{0, 2, 255} {
		bad := ndFrame(t, 136, 0x60, a6, b6, p6, macA, macB, link(2, macB), link(14, macB))
		icmp := bad[54:]
		icmp[33] = length
		sumICMP(icmp, a6, b6)
		if _, _, _, ok := Neighbour(bad); ok {
			t.Errorf("an option of length %d", length)
		}
	}
}
