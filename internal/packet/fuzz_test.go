package packet

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

// corpus is one frame of each kind that the functions know.
func corpus(t testing.TB) [][]byte {
	syn := layers.TCP{SrcPort: 1, DstPort: 2, SYN: true}
	frames := [][]byte{
		Announcement(macA, p4), Announcement(macA, p6), ARPRequest(macA, a4, b4, broadcast), NeighbourSolicitation(macA, a6, b6, macB),
		arpFrame(t, 2, a4, p4, macA, macB, macB), ndFrame(t, 136, 0x60, a6, b6, p6, macA, macB, link(1, macA), link(2, macB)),
	}
	for _, f := range families {
		udp, tcp, echo := udpFrame(t, f.p, f.b, 1, 2, 9), tcpFrame(t, f.p, f.b, syn, 9), echoFrame(t, f.p, f.b, 128)
		frames = append(frames, udp, tcp, echo, tcp[:len(tcp)-5])
		for _, quoted := range [][]byte{udp, tcp, echo, tcpFrame(t, f.b, f.p, syn, 0)} {
			frames = append(frames, errorFrame(t, quoted, f.r, f.p, f.typ, f.code, 500), errorFrame(t, quoted, f.p, f.b, f.typ, f.code, 48))
		}
	}
	for _, ext := range [][]byte{{44, 0, 0, 0, 1}, {44, 0, 0, 0, 8}, {60, 0, 0, 1, 4}, {43, 0, 0, 4, 1}} {
		f := extended(udpFrame(t, p6, b6, 1, 2, 9), ext[0], append(bytes.Clone(ext[1:]), 0, 0, 0, 0)...)
		frames = append(frames, f, errorFrame(t, f, r6, p6, 1, 0, 500))
	}
	return frames
}

// rightIP fails the test unless a frame that this package wrote has the right lengths
// and checksums.
func rightIP(t *testing.T, frame []byte) {
	t.Helper()
	judge(t, frame)
	etherType, b, _ := payload(frame)
	if h, ok := parseIP(etherType, b); !ok || h.total != len(b) || !h.src.IsValid() {
		t.Fatalf("%+v, ok %v: %x", h, ok, frame)
	}
}

func FuzzICMPError(f *testing.F) {
	for _, frame := range corpus(f) {
		f.Add(frame, a4.AsSlice(), uint8(3), uint8(4), uint32(1400))
		f.Add(frame, a6.AsSlice(), uint8(2), uint8(0), uint32(1400))
	}
	f.Fuzz(func(t *testing.T, frame, src []byte, typ, code uint8, mtu uint32) {
		a, _ := netip.AddrFromSlice(src)
		out, ok := ICMPError(frame, a, typ, code, mtu, macR, macA)
		if !ok {
			return
		}
		if a.Is4() && len(out) > 14+576 || len(out) > 14+1280 {
			t.Errorf("an error of %d bytes", len(out))
		}
		etherType, b, _ := payload(out)
		h, parsed := parseIP(etherType, b)
		if !parsed || h.src != a || !rightChecksums(h, b) || !h.whole(b) {
			t.Errorf("%+v: %x", h, out)
		}
		if !bytes.Contains(frame, out[14+h.header+8:]) {
			t.Error("it quotes something else")
		}
		// Nobody owes an error about it.
		if typ == icmpUnreachable {
			if _, again := ICMPError(out, a, typ, code, mtu, macR, macA); again {
				t.Error("an error about an error")
			}
		}
	})
}

func FuzzTranslate(f *testing.F) {
	for _, frame := range corpus(f) {
		f.Add(frame, p4.AsSlice(), a4.AsSlice(), uint8(0), uint16(0), uint16(0))
		f.Add(frame, p6.AsSlice(), a6.AsSlice(), uint8(0), uint16(0), uint16(0))
		f.Add(frame, p4.AsSlice(), a4.AsSlice(), uint8(6), uint16(1), uint16(7))
		f.Add(frame, p6.AsSlice(), a6.AsSlice(), uint8(17), uint16(1), uint16(7))
	}
	f.Fuzz(func(t *testing.T, frame, from, to []byte, protocol uint8, fromPort, toPort uint16) {
		// An error with wrong checksums would be turned down at once.
		repair(frame)
		tr := Translation{Protocol: protocol, FromPort: fromPort, ToPort: toPort}
		tr.From, _ = netip.AddrFromSlice(from)
		tr.To, _ = netip.AddrFromSlice(to)
		before := bytes.Clone(frame)
		there, ok := Translate(frame, tr)
		if !bytes.Equal(before, frame) {
			t.Fatal("it changed the frame")
		}
		if !ok {
			return
		}
		etherType, b, _ := payload(there)
		h, parsed := parseIP(etherType, b)
		if !parsed || !rightChecksums(h, b[:h.total]) || len(there) != len(frame) {
			t.Fatalf("%+v: %x", h, there)
		}
		q := b[h.header+8 : h.total]
		quoted, parsed := parseIP(etherType, q)
		if !parsed {
			t.Fatalf("the quote broke: %x", there)
		}
		if h.src.Is4() {
			_, old, _ := payload(frame)
			old = old[h.header+8 : h.total]
			if (checksum(sum(0, q[:quoted.header])) == 0) != (checksum(sum(0, old[:quoted.header])) == 0) {
				t.Fatalf("the quoted header's checksum\n was %x\n is  %x", old, q)
			}
		}
		if holds(frame, tr.To) {
			return // there, it cannot be told from what was translated
		}
		back, ok := Translate(there, Translation{From: tr.To, To: tr.From, Protocol: protocol, FromPort: toPort, ToPort: fromPort})
		if !ok || !bytes.Equal(canonical(back), canonical(frame)) {
			t.Fatalf("there and back, ok %v:\nfrom %x\nvia  %x\nto   %x", ok, frame, there, back)
		}
	})
}

// repair writes right checksums into what might be an ICMP error.
func repair(frame []byte) {
	etherType, b, _ := payload(frame)
	h, ok := parseIP(etherType, b)
	if !ok || !quotes(h, b) {
		return
	}
	sumICMP(b[h.header:h.total], h.src, h.dst)
	if h.src.Is4() {
		sumIPv4(b)
	}
}

// holds says whether an address stands where Translate replaces one.
func holds(frame []byte, a netip.Addr) bool {
	etherType, b, _ := payload(frame)
	h, _ := parseIP(etherType, b)
	q, _ := parseIP(etherType, b[h.header+8:h.total])
	return h.src == a || h.dst == a || q.src == a || q.dst == a
}

// canonical is a copy in which quoted checksums of all ones, which mean the same as
// zero but are sent by nobody (but UDP), are zero.
func canonical(frame []byte) []byte {
	frame = bytes.Clone(frame)
	etherType, b, _ := payload(frame)
	h, ok := parseIP(etherType, b)
	if !ok {
		return frame
	}
	q := b[h.header+8 : h.total]
	zero := func(at int) {
		if len(q) >= at+2 && q[at] == 0xff && q[at+1] == 0xff {
			q[at], q[at+1] = 0, 0
		}
	}
	inner, _ := parseIP(etherType, q)
	if h.src.Is4() {
		zero(10)
	}
	switch inner.proto {
	case protoTCP:
		zero(inner.header + 16)
	case protoICMPv6:
		zero(inner.header + 2)
	}
	sumICMP(b[h.header:h.total], h.src, h.dst)
	return frame
}

func FuzzReset(f *testing.F) {
	for _, frame := range corpus(f) {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		out, ok := Reset(frame, macB, macA)
		if !ok {
			return
		}
		rightIP(t, out)
		if _, again := Reset(out, macA, macB); again {
			t.Error("a reset of a reset")
		}
	})
}

func FuzzARPRequest(f *testing.F) {
	f.Add(macA[:], a4.AsSlice(), b4.AsSlice(), broadcast[:])
	f.Add(macA[:], a6.AsSlice(), b4.AsSlice(), macB[:])
	f.Fuzz(func(t *testing.T, srcMAC, src, target, dstMAC []byte) {
		m, s, d, to := addresses(srcMAC, src, target, dstMAC)
		if out := ARPRequest(m, s, d, to); (out != nil) != (s.Is4() && d.Is4()) {
			t.Errorf("from %s to %s: %x", s, d, out)
		} else if out != nil {
			judge(t, out)
			believed(t, out, s, m, false)
		}
	})
}

func FuzzNeighbourSolicitation(f *testing.F) {
	f.Add(macA[:], a6.AsSlice(), b6.AsSlice(), macB[:])
	f.Add(macA[:], a6.AsSlice(), p6.AsSlice(), make([]byte, 6))
	f.Add(macA[:], make([]byte, 16), p6.AsSlice(), make([]byte, 6))
	f.Fuzz(func(t *testing.T, srcMAC, src, target, dstMAC []byte) {
		m, s, d, to := addresses(srcMAC, src, target, dstMAC)
		if out := NeighbourSolicitation(m, s, d, to); (out != nil) != (s.Is6() && d.Is6()) {
			t.Errorf("from %s to %s: %x", s, d, out)
		} else if out != nil {
			rightIP(t, out)
			if !d.IsMulticast() {
				believed(t, out, s, m, false)
			}
		}
	})
}

func FuzzAnnouncement(f *testing.F) {
	f.Add(macA[:], p4.AsSlice())
	f.Add(macA[:], p6.AsSlice())
	f.Fuzz(func(t *testing.T, mac, addr []byte) {
		m, a, _, _ := addresses(mac, addr, nil, nil)
		if out := Announcement(m, a); (out != nil) != a.IsValid() {
			t.Errorf("of %s: %x", a, out)
		} else if out != nil {
			judge(t, out)
			believed(t, out, a, m, a.Is6())
		}
	})
}

// believed fails the test unless Neighbour reads what was written, if it can be so.
func believed(t *testing.T, frame []byte, a netip.Addr, mac [6]byte, reply bool) {
	t.Helper()
	gotA, gotMAC, gotReply, ok := Neighbour(frame)
	if want := host(a) && station(mac); ok != want || ok && (gotA != a || gotMAC != mac || gotReply != reply) {
		t.Errorf("%s at %x was read as %s at %x, reply %v, ok %v", a, mac, gotA, gotMAC, gotReply, ok)
	}
}

func addresses(m1, a1, a2, m2 []byte) (srcMAC [6]byte, src, dst netip.Addr, dstMAC [6]byte) {
	copy(srcMAC[:], m1)
	copy(dstMAC[:], m2)
	src, _ = netip.AddrFromSlice(a1)
	dst, _ = netip.AddrFromSlice(a2)
	return srcMAC, src, dst, dstMAC
}

func FuzzNeighbour(f *testing.F) {
	for _, frame := range corpus(f) {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		a, mac, _, ok := Neighbour(frame)
		if ok != (a != netip.Addr{}) || ok && (a.IsMulticast() || a.IsUnspecified() || mac[0]&1 != 0) {
			t.Errorf("%s at %x, ok %v", a, mac, ok)
		}
	})
}
