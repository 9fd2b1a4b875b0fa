package packet

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Translation replaces one address by another of its family, or one port of it by a
// port of the other.
type Translation struct {
	From, To netip.Addr
	// Protocol is 0 where the whole address is translated, else 6 (TCP) or 17 (UDP).
	Protocol         uint8
	FromPort, ToPort uint16 // without meaning where the whole address is translated
}

// Translate takes an ICMP error along where the packet that it quotes was translated
// (RFC 3022, 4.3; RFC 5508, 4.2): t.From becomes t.To, as source and as destination,
// of the error and of the quoted packet. Where a port is translated, the quoted packet
// has to be of that port of t.From. It returns a copy of the frame, in which the
// checksums of the error are right; those of the quoted packet are corrected by
// what has changed, the one of TCP, UDP or ICMPv6 if the quote reaches so far.
//
// ok is false if nothing is to be translated, if the error is incomplete or has a wrong
// checksum, and for what is no error that quotes a packet. It is also false for
// redirects: they name a router of the network that they are sent on, and end there.
//
// A quoted header with a wrong checksum is no reason to drop the error, other than
// in RFC 5508: routers quote headers whose TTL they have counted down and whose
// checksum they have not, and hosts accept that.
func Translate(frame []byte, t Translation) (translated []byte, ok bool) {
	etherType, b, _ := payload(frame)
	h, ok := parseIP(etherType, b)
	if !ok || !t.valid() || !quotes(h, b) || !rightChecksums(h, b[:h.total]) {
		return nil, false
	}
	translated = slices.Clone(frame)
	b = translated[ethLen:][:h.total]
	icmp := b[h.header:]
	quoted, ok := t.quoted(etherType, icmp[8:])
	if !ok || !t.addresses(b, h) && !quoted {
		return nil, false
	}
	outer, _ := parseIP(etherType, b)
	sumICMP(icmp, outer.src, outer.dst)
	if outer.src.Is4() {
		sumIPv4(b)
	}
	return translated, true
}

func (t Translation) valid() bool {
	ports := t.Protocol == protoTCP || t.Protocol == protoUDP
	return host(t.From) && host(t.To) && t.From.Is4() == t.To.Is4() && (ports || t.Protocol == 0)
}

// quotes says whether a whole packet is an ICMP error that quotes one.
func quotes(h ip, b []byte) bool {
	if !h.whole(b) || h.routed || h.total < h.header+8 {
		return false
	}
	typ := b[h.header]
	if h.src.Is4() {
		return h.proto == protoICMP && slices.Contains([]byte{3, 4, 11, 12}, typ)
	}
	return h.proto == protoICMPv6 && typ >= 1 && typ <= 4
}

// rightChecksums says whether the checksums of a whole ICMP packet are right.
func rightChecksums(h ip, b []byte) bool {
	if h.src.Is4() && checksum(sum(0, b[:h.header])) != 0 {
		return false
	}
	icmp := b[h.header:]
	return checksum(sum(pseudoICMP(h.src, h.dst, len(icmp)), icmp)) == 0
}

// addresses replaces the address in a header, but for checksums.
func (t Translation) addresses(b []byte, h ip) (changed bool) {
	if h.src == t.From {
		copy(b[h.srcAt:], t.To.AsSlice())
		changed = true
	}
	if h.dst == t.From {
		copy(b[h.dstAt:], t.To.AsSlice())
		changed = true
	}
	return changed
}

// quoted translates the quoted packet q, of which the headers have to be there. ok is
// false if the error is not about what is translated.
func (t Translation) quoted(etherType uint16, q []byte) (changed, ok bool) {
	h, ok := parseIP(etherType, q)
	if !ok {
		return false, false
	}
	var transport []byte
	if !h.later {
		transport = q[h.header:max(h.header, min(len(q), h.total))]
	}
	src, dst := h.src == t.From, h.dst == t.From
	if t.Protocol != 0 {
		src, dst = t.ports(h, transport, src, dst)
		if !src && !dst {
			return false, false
		}
	}
	if src {
		t.address(q, h, h.srcAt, transport)
	}
	if dst {
		t.address(q, h, h.dstAt, transport)
	}
	return src || dst, true
}

// ports replaces the port on the sides that have the address, and returns those that
// had the port as well.
func (t Translation) ports(h ip, transport []byte, src, dst bool) (bool, bool) {
	if h.proto != t.Protocol || len(transport) < 4 {
		return false, false
	}
	old := binary.BigEndian.AppendUint16(nil, t.FromPort)
	port := binary.BigEndian.AppendUint16(nil, t.ToPort)
	replace := func(at int, side bool) bool {
		field := transport[at : at+2]
		if !side || !slices.Equal(field, old) {
			return false
		}
		copy(field, port)
		adjustTransport(h.proto, transport, old, port)
		return true
	}
	return replace(0, src), replace(2, dst)
}

// address replaces the address at an offset of the quoted packet.
func (t Translation) address(q []byte, h ip, at int, transport []byte) {
	old, to := t.From.AsSlice(), t.To.AsSlice()
	copy(q[at:], to)
	if h.src.Is4() {
		adjust(q[10:12], old, to)
	}
	// With a routing header, the checksum is for another destination, and may be for
	// none of the quote.
	if !h.routed {
		adjustTransport(h.proto, transport, old, to)
	}
}

// adjustTransport corrects a checksum that is made over a pseudo header, if it is there.
func adjustTransport(proto uint8, transport, old, new []byte) {
	var at int
	switch proto {
	case protoTCP:
		at = 16
	case protoUDP:
		at = 6
	case protoICMPv6:
		at = 2
	default:
		return
	}
	if len(transport) < at+2 {
		return
	}
	field := transport[at : at+2]
	if proto != protoUDP {
		adjust(field, old, new)
		return
	}
	// Zero says that UDP has no checksum; one that is zero is sent as all ones (RFC 768).
	if field[0] == 0 && field[1] == 0 {
		return
	}
	adjust(field, old, new)
	if field[0] == 0 && field[1] == 0 {
		field[0], field[1] = 0xff, 0xff
	}
}
