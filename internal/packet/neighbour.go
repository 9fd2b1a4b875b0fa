package packet

import (
	"encoding/binary"
	"net/netip"
)

const (
	arpRequest = 1
	arpReply   = 2

	ndSolicitation  = 135
	ndAdvertisement = 136
	ndSourceLink    = 1 // option: the sender's MAC
	ndTargetLink    = 2 // option: the target's MAC
	ndSolicited     = 0x40
	ndOverride      = 0x20
	ndHops          = 255 // shows that no router has passed the message on
	ndLen           = 24  // a solicitation or advertisement without options
)

// ARPRequest asks who has an IPv4 address: everybody, if dstMAC is ff:ff:ff:ff:ff:ff,
// or a neighbour, to see whether it is still there (RFC 1122, 2.3.2.1). src may be
// 0.0.0.0 (a probe, RFC 5227). It is nil for addresses that are not IPv4.
func ARPRequest(srcMAC [6]byte, src, target netip.Addr, dstMAC [6]byte) []byte {
	if !src.Is4() || !target.Is4() {
		return nil
	}
	frame := ethernet(dstMAC, srcMAC, ethARP, 28)
	b := frame[ethLen:]
	copy(b, []byte{0, 1, ethIPv4 >> 8, ethIPv4 & 0xff, 6, 4, 0, arpRequest})
	copy(b[8:], srcMAC[:])
	copy(b[14:], src.AsSlice())
	copy(b[24:], target.AsSlice())
	return frame
}

// NeighbourSolicitation asks who has an IPv6 address (RFC 4861, 4.3): everybody who
// might, if dstMAC is zero, by the solicited-node multicast address; or a neighbour,
// to see whether it is still there. src may be :: (duplicate address detection). It is
// nil for addresses that are not IPv6.
func NeighbourSolicitation(srcMAC [6]byte, src, target netip.Addr, dstMAC [6]byte) []byte {
	if !src.Is6() || !target.Is6() {
		return nil
	}
	dst := target
	if dstMAC == ([6]byte{}) {
		dst, dstMAC = solicitedNode(target)
	}
	if src.IsUnspecified() { // then there is no option (RFC 4861, 4.3)
		return discovery(srcMAC, dstMAC, src, dst, ndSolicitation, 0, target, 0)
	}
	return discovery(srcMAC, dstMAC, src, dst, ndSolicitation, 0, target, ndSourceLink)
}

// Announcement tells all neighbours that mac has an address: a gratuitous ARP request
// (RFC 5227, 3), or an advertisement that nobody asked for, which overrides what
// they know (RFC 4861, 7.2.6). It is nil for the zero Addr.
func Announcement(mac [6]byte, a netip.Addr) []byte {
	if !a.Is6() {
		return ARPRequest(mac, a, a, broadcast)
	}
	all, allMAC := netip.IPv6LinkLocalAllNodes(), [6]byte{0x33, 0x33, 0, 0, 0, 1}
	return discovery(mac, allMAC, a, all, ndAdvertisement, ndOverride, a, ndTargetLink)
}

// solicitedNode returns the group of those who may have an address (RFC 4291, 2.7.1),
// and its MAC (RFC 2464, 7).
func solicitedNode(a netip.Addr) (netip.Addr, [6]byte) {
	b := a.As16()
	group := [16]byte{0xff, 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]}
	return netip.AddrFrom16(group), [6]byte{0x33, 0x33, 0xff, b[13], b[14], b[15]}
}

// discovery writes a solicitation or an advertisement, with the sender's MAC as option
// unless that is 0.
func discovery(srcMAC, dstMAC [6]byte, src, dst netip.Addr, typ, flags uint8, target netip.Addr, option uint8) []byte {
	n := ndLen
	if option != 0 {
		n += 8
	}
	frame, icmp := newIP(srcMAC, dstMAC, src, dst, protoICMPv6, ndHops, n)
	icmp[0], icmp[4] = typ, flags
	copy(icmp[8:], target.AsSlice())
	if option != 0 {
		icmp[24], icmp[25] = option, 1
		copy(icmp[26:], srcMAC[:])
	}
	sumICMP(icmp, src, dst)
	return frame
}

// Neighbour reads who a frame says has which address: the sender of an ARP request or
// reply, the target of a neighbour advertisement, the sender of a solicitation with its
// MAC. reply says whether it is an answer or an announcement by advertisement, rather
// than a question. An advertisement that answers a solicitation to one neighbour may
// lack the MAC (RFC 4861, 4.4; Linux leaves it out): then it is the frame's.
//
// ok is false for all else, for what a receiver has to ignore (RFC 4861, 7.1), for ARP
// whose sender is not the one of the frame, and for addresses and MACs that no single
// host can have. Whether it is true nobody knows: ARP and neighbour discovery prove
// nothing.
func Neighbour(frame []byte) (a netip.Addr, mac [6]byte, reply bool, ok bool) {
	etherType, b, _ := payload(frame)
	switch etherType {
	case ethARP:
		a, mac, reply, ok = readARP(b)
		ok = ok && mac == [6]byte(frame[6:])
	case ethIPv6:
		a, mac, reply, ok = readDiscovery(b, [6]byte(frame[6:]))
		ok = ok && station([6]byte(frame[6:]))
	}
	if !ok || !host(a) || !station(mac) {
		return netip.Addr{}, [6]byte{}, false, false
	}
	return a, mac, reply, true
}

func readARP(b []byte) (a netip.Addr, mac [6]byte, reply, ok bool) {
	if len(b) < 28 || [6]byte(b) != [6]byte{0, 1, ethIPv4 >> 8, ethIPv4 & 0xff, 6, 4} {
		return a, mac, false, false
	}
	op := binary.BigEndian.Uint16(b[6:])
	return netip.AddrFrom4([4]byte(b[14:])), [6]byte(b[8:]), op == arpReply, op == arpRequest || op == arpReply
}

func readDiscovery(b []byte, sender [6]byte) (a netip.Addr, mac [6]byte, reply, ok bool) {
	h, ok := parseIPv6(b)
	// Nobody has a reason to put headers between; fragments are forbidden (RFC 6980).
	if !ok || h.header != 40 || h.proto != protoICMPv6 || h.hops != ndHops || !h.whole(b) || h.total < 40+ndLen {
		return a, mac, false, false
	}
	icmp := b[40:h.total]
	target := netip.AddrFrom16([16]byte(icmp[8:]))
	if icmp[1] != 0 || target.IsMulticast() || !rightChecksums(h, b[:h.total]) {
		return a, mac, false, false
	}
	switch icmp[0] {
	case ndSolicitation:
		mac, found, ok := linkOption(icmp[ndLen:], ndSourceLink)
		return h.src, mac, false, ok && found
	case ndAdvertisement:
		solicited := icmp[4]&ndSolicited != 0
		if solicited && h.dst.IsMulticast() { // RFC 4861, 7.1.2
			return a, mac, false, false
		}
		mac, found, ok := linkOption(icmp[ndLen:], ndTargetLink)
		if !found && solicited {
			mac, found = sender, true
		}
		return target, mac, true, ok && found
	}
	return a, mac, false, false
}

// linkOption finds a MAC among the options; ok is false if one of them is malformed.
func linkOption(b []byte, option uint8) (mac [6]byte, found, ok bool) {
	for len(b) > 0 {
		if len(b) < 2 || b[1] == 0 || int(b[1])*8 > len(b) {
			return mac, false, false
		}
		if b[0] == option && b[1] == 1 && !found {
			mac, found = [6]byte(b[2:8]), true
		}
		b = b[int(b[1])*8:]
	}
	return mac, found, true
}
