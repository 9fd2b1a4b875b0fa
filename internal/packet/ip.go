package packet

import (
	"encoding/binary"
	"net/netip"
)

// ip is what the headers of an IP packet say.
type ip struct {
	src, dst     netip.Addr
	srcAt, dstAt int // where the addresses are in the packet
	hops         uint8
	total        int   // length of the packet in bytes, as its header has it
	proto        uint8 // of what follows the headers; in a later fragment, of what would
	header       int   // length of the headers, extension headers included
	fragment     bool  // one of several
	later        bool  // a fragment other than the first: no transport header
	routed       bool  // on its way by a routing header: dst is not the last one
}

// parseIP reads the headers of a packet, which has to hold all of them; of what
// follows, any part may lack.
func parseIP(etherType uint16, b []byte) (ip, bool) {
	switch etherType {
	case ethIPv4:
		return parseIPv4(b)
	case ethIPv6:
		return parseIPv6(b)
	}
	return ip{}, false
}

func parseIPv4(b []byte) (ip, bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return ip{}, false
	}
	h := ip{
		src: netip.AddrFrom4([4]byte(b[12:])), dst: netip.AddrFrom4([4]byte(b[16:])), srcAt: 12, dstAt: 16,
		hops: b[8], proto: b[9], total: int(binary.BigEndian.Uint16(b[2:])), header: int(b[0]&0xf) * 4,
	}
	frag := binary.BigEndian.Uint16(b[6:])
	h.fragment, h.later = frag&0x3fff != 0, frag&0x1fff != 0
	return h, h.header >= 20 && h.header <= len(b) && h.header <= h.total
}

func parseIPv6(b []byte) (ip, bool) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return ip{}, false
	}
	h := ip{
		src: netip.AddrFrom16([16]byte(b[8:])), dst: netip.AddrFrom16([16]byte(b[24:])), srcAt: 8, dstAt: 24,
		hops: b[7], proto: b[6], total: 40 + int(binary.BigEndian.Uint16(b[4:])), header: 40,
	}
	b = b[:min(len(b), h.total)]
	for !h.later {
		ext := b[h.header:]
		switch h.proto {
		case 0, 43, 44, 60: // hop-by-hop options, routing, fragment, destination options (RFC 8200, 4)
		default: // what authentication and encryption hide is not looked for
			return h, true
		}
		if len(ext) < 8 {
			return ip{}, false
		}
		size := 8 + int(ext[1])*8
		switch h.proto {
		case 43:
			h.routed = h.routed || ext[3] != 0
		case 44:
			size = 8
			frag := binary.BigEndian.Uint16(ext[2:])
			h.fragment, h.later = h.fragment || frag&0xfff9 != 0, frag&0xfff8 != 0
		}
		if size > len(ext) {
			return ip{}, false
		}
		h.proto = ext[0]
		h.header += size
	}
	return h, true
}

// whole says whether b holds the packet to its end, and it is no fragment.
func (h ip) whole(b []byte) bool { return !h.fragment && h.total <= len(b) }

// host says whether an address names one host that others can answer: none without
// one, a group, all of a network, or loopback (RFC 1122, 3.2.2; RFC 4443, 2.4e).
func host(a netip.Addr) bool {
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return false
	}
	// 0.0.0.0/8 is "this network", 240.0.0.0/4 is class E and broadcast.
	return !a.Is4() || a.As4()[0] != 0 && a.As4()[0] < 240
}

// newIP makes a frame with an IP packet: headers for n bytes of proto, which come
// after them and are zero.
func newIP(srcMAC, dstMAC [6]byte, src, dst netip.Addr, proto, hops uint8, n int) (frame, body []byte) {
	if src.Is4() {
		frame = ethernet(dstMAC, srcMAC, ethIPv4, 20+n)
		b := frame[ethLen:]
		b[0] = 0x45
		binary.BigEndian.PutUint16(b[2:], uint16(20+n))
		b[8], b[9] = hops, proto
		copy(b[12:], src.AsSlice())
		copy(b[16:], dst.AsSlice())
		sumIPv4(b)
		return frame, b[20:]
	}
	frame = ethernet(dstMAC, srcMAC, ethIPv6, 40+n)
	b := frame[ethLen:]
	b[0] = 0x60
	binary.BigEndian.PutUint16(b[4:], uint16(n))
	b[6], b[7] = proto, hops
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	return frame, b[40:]
}

// sumIPv4 writes the header checksum of an IPv4 packet.
func sumIPv4(b []byte) {
	binary.BigEndian.PutUint16(b[10:], 0)
	binary.BigEndian.PutUint16(b[10:], checksum(sum(0, b[:int(b[0]&0xf)*4])))
}
