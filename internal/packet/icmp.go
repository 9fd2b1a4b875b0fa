package packet

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// What an ICMP error quotes of the packet, so that it is at most 576 bytes in IPv4
// (RFC 1812, 4.3.2.3) and fits the smallest MTU in IPv6 (RFC 4443, 2.4c).
const (
	quote4 = 576 - 20 - 8
	quote6 = 1280 - 40 - 8
)

// QuotedLen is how many bytes of a frame ICMPError uses at most: more need not be
// sent to it.
const QuotedLen = ethLen + quote6

const (
	icmpUnreachable    = 3 // also the time that is exceeded in ICMPv6
	icmpFragmentNeeded = 4 // a code of icmpUnreachable
	icmpv6TooBig       = 2
)

// ICMPError writes the ICMP or ICMPv6 error that a router with the address src owes
// the sender of a frame, as a frame from srcMAC to dstMAC. The frame may be cut short
// after its headers. Type and code are those of the packet's protocol. mtu, in
// bytes, goes into "fragmentation needed" (3, code 4; RFC 1191) and "packet too big"
// (ICMPv6 2), and nowhere else.
//
// ok is false when none is owed (RFC 1122, 3.2.2; RFC 1812, 4.3.2.7; RFC 4443,
// 2.4e): about an ICMP error, a fragment but the first, what was not sent by one host
// to one, or what is no IP packet; and when src is not of the packet's protocol.
func ICMPError(frame []byte, src netip.Addr, typ, code uint8, mtu uint32, srcMAC, dstMAC [6]byte) (reply []byte, ok bool) {
	etherType, b, _ := payload(frame)
	h, ok := parseIP(etherType, b)
	if !ok || !unicast(frame) || h.later || !host(h.src) || !host(h.dst) || !host(src) || src.Is4() != h.src.Is4() || aboutError(h, b) {
		return nil, false
	}
	b = b[:min(len(b), h.total)] // without the padding of a short frame
	proto, quote := uint8(protoICMP), quote4
	if !src.Is4() {
		proto, quote = protoICMPv6, quote6
	}
	b = b[:min(len(b), quote)]
	reply, icmp := newIP(srcMAC, dstMAC, src, h.src, proto, 64, 8+len(b))
	icmp[0], icmp[1] = typ, code
	switch {
	case proto == protoICMP && typ == icmpUnreachable && code == icmpFragmentNeeded:
		binary.BigEndian.PutUint16(icmp[6:], uint16(min(mtu, 0xffff)))
	case proto == protoICMPv6 && typ == icmpv6TooBig:
		binary.BigEndian.PutUint32(icmp[4:], mtu)
	}
	copy(icmp[8:], b)
	sumICMP(icmp, src, h.src)
	return reply, true
}

// aboutError says whether a packet is an ICMP error, or might be as its type is not
// there.
func aboutError(h ip, b []byte) bool {
	icmp := b[h.header:]
	switch h.proto {
	case protoICMP:
		return h.src.Is4() && (len(icmp) == 0 || slices.Contains([]byte{3, 4, 5, 11, 12}, icmp[0]))
	case protoICMPv6: // types below 128 are errors, 137 is the redirect
		return !h.src.Is4() && (len(icmp) == 0 || icmp[0] < 128 || icmp[0] == 137)
	}
	return false
}

// sumICMP writes the checksum of an ICMP or ICMPv6 message between two addresses.
func sumICMP(icmp []byte, src, dst netip.Addr) {
	binary.BigEndian.PutUint16(icmp[2:], 0)
	binary.BigEndian.PutUint16(icmp[2:], checksum(sum(pseudoICMP(src, dst, len(icmp)), icmp)))
}

// pseudoICMP sums the pseudo header, which ICMP lacks and ICMPv6 has.
func pseudoICMP(src, dst netip.Addr, length int) uint32 {
	if src.Is4() {
		return 0
	}
	return pseudo(src, dst, protoICMPv6, length)
}
