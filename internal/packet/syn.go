package packet

import (
	"encoding/binary"
	"net/netip"
)

// SYN writes the segment that asks for a TCP connection (RFC 9293, 3.5), with a sequence
// number and no options. It is nil for addresses that are not of one IP version.
func SYN(srcMAC, dstMAC [6]byte, src, dst netip.AddrPort, seq uint32) []byte {
	if !sameFamily(src.Addr(), dst.Addr()) {
		return nil
	}
	frame, tcp := newIP(srcMAC, dstMAC, src.Addr(), dst.Addr(), protoTCP, 64, 20)
	binary.BigEndian.PutUint16(tcp, src.Port())
	binary.BigEndian.PutUint16(tcp[2:], dst.Port())
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12], tcp[13] = 20/4<<4, tcpSYN
	binary.BigEndian.PutUint16(tcp[14:], 0xffff) // the window
	binary.BigEndian.PutUint16(tcp[16:], checksum(sum(pseudo(src.Addr(), dst.Addr(), protoTCP, 20), tcp)))
	return frame
}

// SYNAnswer is what a host says to a SYN.
type SYNAnswer struct {
	Src, Dst netip.AddrPort
	// Open: it takes the connection (SYN and ACK). Otherwise it refuses it (RST).
	Open bool
	Ack  uint32 // the sequence number of the SYN, and one
}

// ParseSYNAnswer reads the answer to a SYN, which may be cut short after the TCP header
// without options. ok is false for all other frames. Checksums are not looked at:
// whoever asked knows its own numbers again.
func ParseSYNAnswer(frame []byte) (a SYNAnswer, ok bool) {
	etherType, b, _ := payload(frame)
	h, ok := parseIP(etherType, b)
	if !ok || h.proto != protoTCP || h.fragment || len(b) < h.header+20 || h.total < h.header+20 {
		return SYNAnswer{}, false
	}
	tcp := b[h.header:]
	flags := tcp[13] & (tcpFIN | tcpSYN | tcpRST | tcpACK)
	if flags != tcpSYN|tcpACK && flags != tcpRST|tcpACK {
		return SYNAnswer{}, false
	}
	return SYNAnswer{
		Src:  netip.AddrPortFrom(h.src, binary.BigEndian.Uint16(tcp)),
		Dst:  netip.AddrPortFrom(h.dst, binary.BigEndian.Uint16(tcp[2:])),
		Open: flags&tcpSYN != 0,
		Ack:  binary.BigEndian.Uint32(tcp[8:]),
	}, true
}
