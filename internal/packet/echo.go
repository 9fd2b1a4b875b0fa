package packet

import (
	"encoding/binary"
	"net/netip"
)

const (
	echoRequest4, echoReply4 = 8, 0
	echoRequest6, echoReply6 = 128, 129
)

// Echo is an ICMP or ICMPv6 echo message (RFC 792; RFC 4443, 4).
type Echo struct {
	Src, Dst netip.Addr
	Reply    bool // rather than a request
	ID, Seq  uint16
}

// EchoRequest writes an echo request without data. It is nil for addresses that are not
// of one IP version. Reply is not looked at.
func EchoRequest(srcMAC, dstMAC [6]byte, e Echo) []byte {
	if !sameFamily(e.Src, e.Dst) {
		return nil
	}
	proto, typ := uint8(protoICMPv6), byte(echoRequest6)
	if e.Src.Is4() {
		proto, typ = protoICMP, echoRequest4
	}
	frame, icmp := newIP(srcMAC, dstMAC, e.Src, e.Dst, proto, 64, 8)
	icmp[0] = typ
	binary.BigEndian.PutUint16(icmp[4:], e.ID)
	binary.BigEndian.PutUint16(icmp[6:], e.Seq)
	sumICMP(icmp, e.Src, e.Dst)
	return frame
}

// ParseEcho reads an echo message, which may be cut short after its headers. ok is false
// for all else, and for fragments. Checksums are not looked at: whoever asked knows its
// own numbers again.
func ParseEcho(frame []byte) (e Echo, ok bool) {
	etherType, b, _ := payload(frame)
	h, ok := parseIP(etherType, b)
	if !ok || h.fragment || len(b) < h.header+8 || h.total < h.header+8 {
		return Echo{}, false
	}
	icmp := b[h.header:]
	switch {
	case icmp[1] != 0:
		return Echo{}, false
	case h.src.Is4() && h.proto == protoICMP && (icmp[0] == echoRequest4 || icmp[0] == echoReply4):
	case h.src.Is6() && h.proto == protoICMPv6 && (icmp[0] == echoRequest6 || icmp[0] == echoReply6):
	default:
		return Echo{}, false
	}
	return Echo{h.src, h.dst, icmp[0] == echoReply4 || icmp[0] == echoReply6, binary.BigEndian.Uint16(icmp[4:]), binary.BigEndian.Uint16(icmp[6:])}, true
}

func sameFamily(a, b netip.Addr) bool {
	return a.IsValid() && b.IsValid() && a.Is4() == b.Is4() && !a.Is4In6() && !b.Is4In6()
}
