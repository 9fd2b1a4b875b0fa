package packet

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// addresses that errors are told about.
type family struct {
	a, p, b, r netip.Addr
	typ, code  uint8
}

var families = map[string]family{
	"IPv4": {a4, p4, b4, r4, 3, 1},
	"IPv6": {a6, p6, b6, r6, 1, 0},
}

// A translated error is, byte for byte, the error about the translated packet.
func TestErrorsAreTranslated(t *testing.T) {
	syn := layers.TCP{SrcPort: 1000, DstPort: 80, Seq: 7, SYN: true, Window: 9}
	moved := syn
	moved.SrcPort = 2000
	for name, f := range families {
		whole := Translation{From: f.p, To: f.a}
		port := Translation{From: f.p, To: f.a, Protocol: 17, FromPort: 2000, ToPort: 1000}
		tcpPort := Translation{From: f.p, To: f.a, Protocol: 6, FromPort: 2000, ToPort: 1000}
		for what, c := range map[string]struct{ in, want []byte }{
			"in, UDP, by a router":  {errorFrame(t, udpFrame(t, f.p, f.b, 1000, 9, 99), f.r, f.p, f.typ, f.code, 500), errorFrame(t, udpFrame(t, f.a, f.b, 1000, 9, 99), f.r, f.a, f.typ, f.code, 500)},
			"in, TCP, by the other": {errorFrame(t, tcpFrame(t, f.p, f.b, syn, 0), f.b, f.p, f.typ, f.code, 500), errorFrame(t, tcpFrame(t, f.a, f.b, syn, 0), f.b, f.a, f.typ, f.code, 500)},
			"in, echo":              {errorFrame(t, echoFrame(t, f.p, f.b, 128), f.r, f.p, f.typ, f.code, 500), errorFrame(t, echoFrame(t, f.a, f.b, 128), f.r, f.a, f.typ, f.code, 500)},
			"in, a short quote":     {errorFrame(t, udpFrame(t, f.p, f.b, 1000, 9, 99), f.r, f.p, f.typ, f.code, 48), errorFrame(t, udpFrame(t, f.a, f.b, 1000, 9, 99), f.r, f.a, f.typ, f.code, 48)},
			"out":                   {errorFrame(t, udpFrame(t, f.b, f.p, 9, 1000, 99), f.p, f.b, f.typ, f.code, 500), errorFrame(t, udpFrame(t, f.b, f.a, 9, 1000, 99), f.a, f.b, f.typ, f.code, 500)},
			"only in the quote":     {errorFrame(t, udpFrame(t, f.b, f.p, 9, 1000, 99), f.r, f.b, f.typ, f.code, 500), errorFrame(t, udpFrame(t, f.b, f.a, 9, 1000, 99), f.r, f.b, f.typ, f.code, 500)},
			"only around it":        {errorFrame(t, udpFrame(t, f.a, f.b, 9, 1000, 99), f.r, f.p, f.typ, f.code, 500), errorFrame(t, udpFrame(t, f.a, f.b, 9, 1000, 99), f.r, f.a, f.typ, f.code, 500)},
		} {
			check(t, name+", "+what, whole, c.in, c.want)
		}
		check(t, name+", UDP port in", port,
			errorFrame(t, udpFrame(t, f.p, f.b, 2000, 9, 99), f.r, f.p, f.typ, f.code, 500), errorFrame(t, udpFrame(t, f.a, f.b, 1000, 9, 99), f.r, f.a, f.typ, f.code, 500))
		check(t, name+", UDP port out", port,
			errorFrame(t, udpFrame(t, f.b, f.p, 9, 2000, 99), f.p, f.b, f.typ, f.code, 500), errorFrame(t, udpFrame(t, f.b, f.a, 9, 1000, 99), f.a, f.b, f.typ, f.code, 500))
		check(t, name+", the port of the other side stays", port,
			errorFrame(t, udpFrame(t, f.p, f.b, 2000, 2000, 99), f.r, f.p, f.typ, f.code, 500), errorFrame(t, udpFrame(t, f.a, f.b, 1000, 2000, 99), f.r, f.a, f.typ, f.code, 500))
		check(t, name+", TCP port", tcpPort,
			errorFrame(t, tcpFrame(t, f.p, f.b, moved, 5), f.r, f.p, f.typ, f.code, 500), errorFrame(t, tcpFrame(t, f.a, f.b, syn, 5), f.r, f.a, f.typ, f.code, 500))
	}
}

func check(t *testing.T, name string, tr Translation, in, want []byte) {
	t.Helper()
	before := bytes.Clone(in)
	got, ok := Translate(in, tr)
	if !ok || !bytes.Equal(got, want) {
		t.Errorf("%s: ok %v\n got %x\nwant %x", name, ok, got, want)
	}
	if !bytes.Equal(in, before) {
		t.Errorf("%s: it changed the frame", name)
	}
}

func TestAbsentUDPChecksumStaysAbsent(t *testing.T) {
	clear := func(f []byte) []byte { return edit(f, 14+20+6, 0, 0) }
	check(t, "no checksum", Translation{From: p4, To: a4},
		errorFrame(t, clear(udpFrame(t, p4, b4, 1, 2, 9)), r4, p4, 3, 3, 500), errorFrame(t, clear(udpFrame(t, a4, b4, 1, 2, 9)), r4, a4, 3, 3, 500))
}

// A UDP checksum that comes out as zero is sent as all ones.
func TestUDPChecksumDoesNotVanish(t *testing.T) {
	at := 14 + 20 + 6
	port := udpFrame(t, a4, b4, 0, 2, 9)[at:]
	sport := uint16(port[0])<<8 | uint16(port[1])
	want := udpFrame(t, a4, b4, sport, 2, 9)
	if !bytes.Equal(want[at:at+2], []byte{0xff, 0xff}) {
		t.Fatalf("the checksum is %x", want[at:at+2])
	}
	check(t, "zero", Translation{From: p4, To: a4},
		errorFrame(t, udpFrame(t, p4, b4, sport, 2, 9), r4, p4, 3, 3, 500), errorFrame(t, want, r4, a4, 3, 3, 500))
}

// Behind extension headers, and in fragments that have no transport header.
func TestQuotedExtensionHeaders(t *testing.T) {
	options := []byte{0, 0, 1, 4, 0, 0, 0, 0}
	quote := func(a netip.Addr, next uint8, ext []byte) []byte {
		return errorFrame(t, extended(udpFrame(t, a, b6, 1, 2, 9), next, bytes.Clone(ext)...), r6, a, 1, 0, 900)
	}
	tr := Translation{From: p6, To: a6}
	check(t, "options", tr, quote(p6, 60, options), quote(a6, 60, options))
	later := []byte{0, 0, 0, 8, 0, 0, 0, 1}
	got, ok := Translate(quote(p6, 44, later), tr)
	// What looks like a transport header there is data, and stays.
	if want := quote(p6, 44, later); !ok || !bytes.Equal(got[14+40+8+48:], want[14+40+8+48:]) {
		t.Errorf("later fragment: ok %v, %x", ok, got)
	}
}

func TestWhatIsNotTranslated(t *testing.T) {
	tr := Translation{From: p4, To: a4}
	in := udpFrame(t, p4, b4, 1000, 9, 99)
	good := errorFrame(t, in, r4, p4, 3, 3, 500)
	good6 := errorFrame(t, udpFrame(t, p6, b6, 1, 2, 9), r6, p6, 1, 0, 500)
	if _, ok := Translate(good, tr); !ok {
		t.Fatal("the good one was not translated")
	}
	for name, c := range map[string]struct {
		frame []byte
		t     Translation
	}{
		"no error":                {in, tr},
		"an echo":                 {echoFrame(t, p4, b4, 8), tr},
		"a redirect":              {errorFrame(t, in, r4, p4, 5, 1, 500), tr},
		"neither place":           {errorFrame(t, udpFrame(t, a4, b4, 1, 2, 9), r4, a4, 3, 3, 500), tr},
		"cut short":               {good[:len(good)-1], tr},
		"cut in the quote":        {errorFrame(t, in, r4, p4, 3, 3, 19), tr},
		"no quote":                {errorFrame(t, in, r4, p4, 3, 3, 0), tr},
		"wrong IP checksum":       {edit(good, 24, ^good[24]), tr},
		"wrong ICMP checksum":     {edit(good, 36, ^good[36]), tr},
		"wrong ICMPv6 checksum":   {edit(good6, 56, ^good6[56]), Translation{From: p6, To: a6}},
		"fragment":                {edit(good, 20, 0x20), tr},
		"IPv6 quoted in IPv4":     {errorFrame(t, udpFrame(t, p6, b6, 1, 2, 9), r4, p4, 3, 3, 500), tr},
		"families mixed":          {good, Translation{From: p4, To: a6}},
		"no address":              {good, Translation{From: p4}},
		"to a group":              {good, Translation{From: p4, To: netip.MustParseAddr("224.0.0.1")}},
		"ports of ICMP":           {good, Translation{From: p4, To: a4, Protocol: 1}},
		"another port":            {good, Translation{From: p4, To: a4, Protocol: 17, FromPort: 1001, ToPort: 9}},
		"another protocol":        {good, Translation{From: p4, To: a4, Protocol: 6, FromPort: 1000, ToPort: 9}},
		"the port of the other":   {good, Translation{From: p4, To: a4, Protocol: 17, FromPort: 9, ToPort: 1}},
		"port beyond the quote":   {errorFrame(t, in, r4, p4, 3, 3, 22), Translation{From: p4, To: a4, Protocol: 17, FromPort: 1000, ToPort: 1}},
		"port of a later segment": {errorFrame(t, edit(in, 20, 0, 1), r4, p4, 3, 3, 500), Translation{From: p4, To: a4, Protocol: 17, FromPort: 1000, ToPort: 1}},
	} {
		if out, ok := Translate(c.frame, c.t); ok {
			t.Errorf("%s: %x", name, out)
		}
	}
}

// There and back is the same frame, whatever the packet and the addresses.
func TestTranslateThereAndBack(t *testing.T) {
	addr := func(r *rapid.T, f family, name string) netip.Addr {
		if f.a.Is4() {
			b := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(r, name)
			b[0] = 1 + b[0]%100
			return netip.AddrFrom4([4]byte(b))
		}
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, name)
		b[0] = 0x20
		return netip.AddrFrom16([16]byte(b))
	}
	rapid.Check(t, func(r *rapid.T) {
		f := families[rapid.SampledFrom([]string{"IPv4", "IPv6"}).Draw(r, "family")]
		from, to, other := addr(r, f, "from"), addr(r, f, "to"), addr(r, f, "other")
		if from == to || to == other || from == other {
			r.Skip()
		}
		sport, dport := rapid.Uint16().Draw(r, "sport"), rapid.Uint16().Draw(r, "dport")
		tr := Translation{From: from, To: to}
		if rapid.Bool().Draw(r, "ports") {
			tr.Protocol, tr.FromPort, tr.ToPort = 17, sport, rapid.Uint16().Draw(r, "to port")
		}
		n := rapid.IntRange(0, 600).Draw(r, "data")
		in := errorFrame(t, udpFrame(t, from, other, sport, dport, n), other, from, f.typ, f.code, 548)
		there, ok := Translate(in, tr)
		if !ok {
			r.Fatalf("not translated: %x", in)
		}
		if tr.Protocol == 0 {
			tr.ToPort = sport
		}
		want := errorFrame(t, udpFrame(t, to, other, tr.ToPort, dport, n), other, to, f.typ, f.code, 548)
		if !bytes.Equal(there, want) {
			r.Fatalf(" got %x\nwant %x", there, want)
		}
		tr.From, tr.To, tr.FromPort, tr.ToPort = tr.To, tr.From, tr.ToPort, tr.FromPort
		if back, ok := Translate(there, tr); !ok || !bytes.Equal(back, in) {
			r.Fatalf("back: ok %v\n got %x\nwant %x", ok, back, in)
		}
	})
}
