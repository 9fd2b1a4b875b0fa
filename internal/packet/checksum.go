package packet

import (
	"encoding/binary"
	"net/netip"
)

// sum adds 16-bit words to a ones' complement sum; an odd byte at the end is the
// high one of a word (RFC 1071). It cannot overflow for what fits into a packet.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// checksum ends a sum: the value for the checksum field if that was zero, and zero
// if the field was right.
func checksum(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// pseudo sums the pseudo header of TCP, UDP and ICMPv6 (RFC 9293, 3.1; RFC 8200,
// 8.1).
func pseudo(src, dst netip.Addr, proto uint8, length int) uint32 {
	s := sum(sum(0, src.AsSlice()), dst.AsSlice())
	return s + uint32(proto) + uint32(length>>16) + uint32(length&0xffff)
}

// adjust corrects the checksum at the start of field for a change of as many bytes
// as old and new have, an even number (RFC 1624, equation 3). What was wrong before
// is as wrong after.
func adjust(field, old, new []byte) {
	s := uint32(^binary.BigEndian.Uint16(field))
	for ; len(old) >= 2; old, new = old[2:], new[2:] {
		s += uint32(^binary.BigEndian.Uint16(old)) + uint32(binary.BigEndian.Uint16(new))
	}
	binary.BigEndian.PutUint16(field, checksum(s))
}
