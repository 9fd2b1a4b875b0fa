package packet

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestEchoes(t *testing.T) {
	for _, side := range [][2]netip.Addr{{a4, b4}, {a6, b6}} {
		want := Echo{Src: side[0], Dst: side[1], ID: 0x1234, Seq: 0xfedc}
		request := EchoRequest(macA, macB, want)
		judge(t, request)
		rightIP(t, request)
		if got, ok := ParseEcho(request); !ok || got != want {
			t.Errorf("%+v, %t", got, ok)
		}
		// Linux may answer with a longer frame: Ethernet has no shorter ones than 60 bytes.
		reply := append(bytes.Clone(request), make([]byte, 18)...)
		l4 := len(request) - 8
		reply[l4] = map[byte]byte{8: 0, 128: 129}[reply[l4]]
		want.Reply = true
		if got, ok := ParseEcho(reply); !ok || got != want {
			t.Errorf("%+v, %t", got, ok)
		}
		for name, in := range map[string][]byte{
			"nothing": nil, "cut short": request[:len(request)-1], "another type": edit(request, l4, 3), "another code": edit(request, l4+1, 1),
			"UDP": udpFrame(t, side[0], side[1], 1, 2, 20),
		} {
			if e, ok := ParseEcho(in); ok {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
	if EchoRequest(macA, macB, Echo{Src: a4, Dst: b6}) != nil || EchoRequest(macA, macB, Echo{Src: a4}) != nil {
		t.Error("an echo request between IP versions, or to nobody")
	}
	first := edit(EchoRequest(macA, macB, Echo{Src: a4, Dst: b4}), 20, 0x20)
	if _, ok := ParseEcho(first); ok {
		t.Error("a fragment is read")
	}
}

func TestSYNs(t *testing.T) {
	for _, side := range [][2]netip.Addr{{a4, b4}, {a6, b6}} {
		from, to := netip.AddrPortFrom(side[0], 61000), netip.AddrPortFrom(side[1], 80)
		out := SYN(macA, macB, from, to, 77)
		tcp, _ := judge(t, out).TransportLayer().(*layers.TCP)
		rightIP(t, out)
		if tcp == nil || !tcp.SYN || tcp.ACK || tcp.RST || tcp.Seq != 77 || tcp.SrcPort != 61000 || tcp.DstPort != 80 || tcp.Window == 0 || [6]byte(out) != macB {
			t.Errorf("%+v", tcp)
		}
		answer := func(change func(*layers.TCP)) []byte {
			s := layers.TCP{SrcPort: 80, DstPort: 61000, Seq: 5, Ack: 78, Options: []layers.TCPOption{{OptionType: 2, OptionLength: 4, OptionData: []byte{5, 0xb4}}}}
			change(&s)
			return tcpFrame(t, side[1], side[0], s, 0)
		}
		open := answer(func(s *layers.TCP) { s.SYN, s.ACK = true, true })
		refused := answer(func(s *layers.TCP) { s.RST, s.ACK = true, true })
		for _, c := range []struct {
			in   []byte
			open bool
		}{{open, true}, {open[:len(open)-4], true}, {refused, false}} {
			if got, ok := ParseSYNAnswer(c.in); !ok || got != (SYNAnswer{to, from, c.open, 78}) {
				t.Errorf("%+v, %t", got, ok)
			}
		}
		for name, in := range map[string][]byte{
			"nothing": nil, "a SYN": out, "an ACK": answer(func(s *layers.TCP) { s.ACK = true }), "header cut": open[:len(open)-5],
			"UDP": udpFrame(t, side[0], side[1], 1, 2, 30),
		} {
			if a, ok := ParseSYNAnswer(in); ok {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
	if SYN(macA, macB, netip.AddrPortFrom(a4, 1), netip.AddrPortFrom(b6, 1), 1) != nil {
		t.Error("a SYN between IP versions")
	}
}

func FuzzParseEcho(f *testing.F) {
	for _, frame := range corpus(f) {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		e, ok := ParseEcho(frame)
		if !ok {
			if e != (Echo{}) {
				t.Errorf("%+v, and not ok", e)
			}
			return
		}
		if out := EchoRequest(macA, macB, e); out != nil {
			e.Reply = false
			if again, ok := ParseEcho(out); !ok || again != e {
				t.Errorf("%+v became %+v", e, again)
			}
		}
	})
}

func FuzzParseSYNAnswer(f *testing.F) {
	for _, frame := range corpus(f) {
		f.Add(frame)
	}
	f.Add(tcpFrame(f, b4, a4, layers.TCP{SrcPort: 80, DstPort: 61000, SYN: true, ACK: true}, 0))
	f.Fuzz(func(t *testing.T, frame []byte) {
		a, ok := ParseSYNAnswer(frame)
		if ok != (a != SYNAnswer{}) || ok && !a.Src.IsValid() {
			t.Errorf("%+v, %t", a, ok)
		}
	})
}
