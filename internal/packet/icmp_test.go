package packet

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestICMPErrorsAreWritten(t *testing.T) {
	short := udpFrame(t, a4, b4, 1, 2, 3)
	for name, c := range map[string]struct {
		in        []byte
		src       netip.Addr
		typ, code uint8
		mtu       uint32
		rest      [4]byte // bytes 4 to 7
		quoted    int
	}{
		"time exceeded":               {udpFrame(t, a4, b4, 1, 2, 3), r4, 11, 0, 0, [4]byte{}, 31},
		"without padding":             {append(short, make([]byte, 60-len(short))...), r4, 11, 0, 0, [4]byte{}, 31},
		"fragmentation needed":        {udpFrame(t, a4, b4, 1, 2, 1400), r4, 3, 4, 1280, [4]byte{2: 5}, 548},
		"MTU beyond the field":        {udpFrame(t, a4, b4, 1, 2, 1400), r4, 3, 4, 70000, [4]byte{2: 0xff, 3: 0xff}, 548},
		"MTU of nothing":              {udpFrame(t, a4, b4, 1, 2, 30), r4, 3, 1, 1280, [4]byte{}, 58},
		"about an echo":               {echoFrame(t, a4, b4, 8), r4, 11, 0, 0, [4]byte{}, 32},
		"cut short":                   {udpFrame(t, a4, b4, 1, 2, 1400)[:100], r4, 11, 0, 0, [4]byte{}, 86},
		"time exceeded, IPv6":         {udpFrame(t, a6, b6, 1, 2, 3), r6, 3, 0, 0, [4]byte{}, 51},
		"packet too big":              {udpFrame(t, a6, b6, 1, 2, 1400), r6, 2, 0, 70000, [4]byte{0, 1, 0x11, 0x70}, 1232},
		"about an echo, IPv6":         {echoFrame(t, a6, b6, 128), r6, 1, 0, 0, [4]byte{}, 52},
		"unreachable, whatever a MTU": {udpFrame(t, a6, b6, 1, 2, 3), r6, 1, 3, 1280, [4]byte{}, 51},
	} {
		t.Run(name, func(t *testing.T) {
			before := bytes.Clone(c.in)
			out, ok := ICMPError(c.in, c.src, c.typ, c.code, c.mtu, macR, macA)
			if !ok {
				t.Fatal("none was written")
			}
			p := judge(t, out)
			header := 20
			if !c.src.Is4() {
				header = 40
			}
			icmp := out[ethLen+header:]
			src, dst := p.NetworkLayer().NetworkFlow().Endpoints()
			want, _ := parseIP(0x0800, c.in[ethLen:])
			if !c.src.Is4() {
				want, _ = parseIP(0x86dd, c.in[ethLen:])
			}
			if [6]byte(out) != macA || [6]byte(out[6:]) != macR || !bytes.Equal(src.Raw(), c.src.AsSlice()) || !bytes.Equal(dst.Raw(), want.src.AsSlice()) {
				t.Errorf("from %s to %s: %s", src, dst, p)
			}
			if icmp[0] != c.typ || icmp[1] != c.code || [4]byte(icmp[4:]) != c.rest {
				t.Errorf("ICMP header %x", icmp[:8])
			}
			if !bytes.Equal(icmp[8:], c.in[ethLen:][:c.quoted]) {
				t.Errorf("quotes %d bytes, want %d", len(icmp)-8, c.quoted)
			}
			if !bytes.Equal(before, c.in) {
				t.Error("it changed the frame")
			}
		})
	}
}

// edit changes bytes of a copy.
func edit(frame []byte, at int, b ...byte) []byte {
	frame = bytes.Clone(frame)
	copy(frame[at:], b)
	return frame
}

// extended puts extension headers before the payload of an IPv6 frame; the first one
// is of type next.
func extended(frame []byte, next uint8, ext ...byte) []byte {
	frame = bytes.Clone(frame)
	ext[0], frame[ethLen+6] = frame[ethLen+6], next
	frame[ethLen+5] += byte(len(ext))
	return append(append(bytes.Clone(frame[:54]), ext...), frame[54:]...)
}

func TestNoICMPErrorIsOwed(t *testing.T) {
	v4, v6 := udpFrame(t, a4, b4, 1, 2, 3), udpFrame(t, a6, b6, 1, 2, 3)
	cases := map[string][]byte{
		"nothing":                   nil,
		"no packet":                 v4[:14],
		"header cut":                v4[:33],
		"header cut, IPv6":          v6[:53],
		"ARP":                       edit(v4, 12, 8, 6),
		"other version":             edit(v4, 14, 0x65),
		"other version, IPv6":       edit(v6, 14, 0x40),
		"header too short":          edit(v4, 14, 0x44),
		"longer than the packet":    edit(v4, 16, 0, 19),
		"to all":                    edit(v4, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"to a group":                edit(v4, 0, 1),
		"from a group":              edit(v4, 6, 1),
		"from no MAC":               edit(v4, 6, 0, 0, 0, 0, 0, 0),
		"later fragment":            edit(v4, 20, 0, 1),
		"ICMP without a type":       echoFrame(t, a4, b4, 8)[:34],
		"ICMPv6 without a type":     echoFrame(t, a6, b6, 128)[:54],
		"later fragment, IPv6":      extended(v6, 44, 0, 0, 0, 8, 0, 0, 0, 1),
		"error behind options":      extended(echoFrame(t, a6, b6, 1), 60, 0, 0, 1, 4, 0, 0, 0, 0),
		"error behind routing":      extended(echoFrame(t, a6, b6, 1), 43, 0, 0, 4, 1, 0, 0, 0, 0),
		"extension header cut":      extended(v6, 60, 0, 0, 1, 4, 0, 0, 0, 0)[:60],
		"extension header too long": extended(v6, 60, 0, 200, 1, 4, 0, 0, 0, 0),
	}
	for _, typ := range []uint8{3, 4, 5, 11, 12} {
		cases["ICMP error "+string('0'+rune(typ))] = echoFrame(t, a4, b4, typ)
	}
	for _, typ := range []uint8{1, 2, 3, 4, 100, 127, 137} {
		cases["ICMPv6 error "+string('0'+rune(typ))] = echoFrame(t, a6, b6, typ)
	}
	for _, a := range []string{"0.0.0.0", "0.0.0.9", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"} {
		cases["from "+a] = udpFrame(t, netip.MustParseAddr(a), b4, 1, 2, 3)
		cases["to "+a] = udpFrame(t, a4, netip.MustParseAddr(a), 1, 2, 3)
	}
	for _, a := range []string{"::", "::1", "ff02::1"} {
		cases["from "+a] = udpFrame(t, netip.MustParseAddr(a), b6, 1, 2, 3)
		cases["to "+a] = udpFrame(t, a6, netip.MustParseAddr(a), 1, 2, 3)
	}
	for name, in := range cases {
		for _, src := range []netip.Addr{r4, r6} {
			if out, ok := ICMPError(in, src, 3, 1, 0, macR, macA); ok {
				t.Errorf("%s: %x", name, out)
			}
		}
	}
	for _, src := range []netip.Addr{{}, r6, netip.IPv4Unspecified(), netip.MustParseAddr("224.0.0.1")} {
		if _, ok := ICMPError(v4, src, 3, 1, 0, macR, macA); ok {
			t.Errorf("an error from %s", src)
		}
	}
	// What is near to it, and owed.
	for name, in := range map[string][]byte{
		"first fragment":       edit(v4, 20, 0x20, 0),
		"first fragment, IPv6": extended(v6, 44, 0, 0, 0, 1, 0, 0, 0, 1),
		"behind options":       extended(v6, 60, 0, 0, 1, 4, 0, 0, 0, 0),
		"ICMPv6 in IPv4":       edit(v4, 23, uint8(layers.IPProtocolICMPv6)),
	} {
		_, ok4 := ICMPError(in, r4, 3, 1, 0, macR, macA)
		_, ok6 := ICMPError(in, r6, 1, 1, 0, macR, macA)
		if !ok4 && !ok6 {
			t.Errorf("%s: no error", name)
		}
	}
}
