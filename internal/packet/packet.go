// Package packet reads and writes the few frames that a router or a gateway owes
// its neighbours and that flows cannot write: ICMP errors and their translation, TCP
// resets, ARP and neighbour discovery, and probes. It is pure functions on untagged Ethernet
// frames. It never sends, waits, remembers, or changes a frame that it is given; and
// whatever the frame holds, it does not panic.
package packet

import "encoding/binary"

const (
	ethLen = 14

	ethIPv4 = 0x0800
	ethARP  = 0x0806
	ethIPv6 = 0x86dd

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

var broadcast = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// ethernet makes a frame of n bytes beyond its header, all of them zero.
func ethernet(dst, src [6]byte, etherType uint16, n int) []byte {
	frame := make([]byte, ethLen+n)
	copy(frame, dst[:])
	copy(frame[6:], src[:])
	binary.BigEndian.PutUint16(frame[12:], etherType)
	return frame
}

// payload returns the EtherType of a frame and what follows it.
func payload(frame []byte) (etherType uint16, b []byte, ok bool) {
	if len(frame) < ethLen {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(frame[12:]), frame[ethLen:], true
}

// station says whether a MAC is one that a single interface can have.
func station(mac [6]byte) bool { return mac[0]&1 == 0 && mac != [6]byte{} }

// unicast says whether a frame goes from one interface to one. Nobody owes an answer
// to others (RFC 1122, 3.2.2).
func unicast(frame []byte) bool {
	return len(frame) >= ethLen && station([6]byte(frame)) && station([6]byte(frame[6:]))
}
