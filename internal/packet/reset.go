package packet

import "encoding/binary"

// Flags of TCP.
const (
	tcpFIN = 1 << iota
	tcpSYN
	tcpRST
	_
	tcpACK
)

// Reset writes the reset that a host owes for a TCP segment of a connection that it
// does not know (RFC 9293, 3.10.7.1), from the segment's destination to its source,
// as a frame from srcMAC to dstMAC. The frame may be cut short after the TCP header.
//
// ok is false for a reset, for a segment with a wrong checksum (one that is cut short is
// taken to be right), for fragments, for what was not sent by one host to one, and for
// what has no whole TCP header.
func Reset(frame []byte, srcMAC, dstMAC [6]byte) (reply []byte, ok bool) {
	etherType, b, _ := payload(frame)
	h, ok := parseIP(etherType, b)
	if !ok || !unicast(frame) || h.proto != protoTCP || h.fragment || h.routed || !host(h.src) || !host(h.dst) {
		return nil, false
	}
	segment := b[h.header:max(h.header, min(len(b), h.total))]
	if len(segment) < 20 {
		return nil, false
	}
	header, flags := int(segment[12]>>4)*4, segment[13]
	if header < 20 || header > len(segment) || flags&tcpRST != 0 {
		return nil, false
	}
	length := h.total - h.header
	if len(segment) == length && checksum(sum(pseudo(h.src, h.dst, protoTCP, length), segment)) != 0 {
		return nil, false
	}
	reply, tcp := newIP(srcMAC, dstMAC, h.dst, h.src, protoTCP, 64, 20)
	copy(tcp, segment[2:4])
	copy(tcp[2:], segment[:2])
	tcp[12] = 20 / 4 << 4
	if flags&tcpACK != 0 {
		copy(tcp[4:8], segment[8:12])
		tcp[13] = tcpRST
	} else {
		binary.BigEndian.PutUint32(tcp[8:], binary.BigEndian.Uint32(segment[4:])+sequenceLen(flags, length-header))
		tcp[13] = tcpRST | tcpACK
	}
	binary.BigEndian.PutUint16(tcp[16:], checksum(sum(pseudo(h.dst, h.src, protoTCP, 20), tcp)))
	return reply, true
}

// sequenceLen is the length of a segment in sequence numbers: SYN and FIN take one
// each.
func sequenceLen(flags uint8, data int) uint32 {
	return uint32(data) + uint32(flags&tcpSYN/tcpSYN) + uint32(flags&tcpFIN)
}
