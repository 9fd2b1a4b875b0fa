package packet

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

func TestResets(t *testing.T) {
	segment := layers.TCP{SrcPort: 1000, DstPort: 80, Seq: 0xfffffffe, Ack: 77, Window: 9}
	with := func(change func(*layers.TCP)) layers.TCP {
		s := segment
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		in       layers.TCP
		data     int
		cut      int // bytes that lack at the end of the frame
		seq, ack uint32
		ackFlag  bool
	}{
		"SYN":           {with(func(s *layers.TCP) { s.SYN = true }), 0, 0, 0, 0xffffffff, true},
		"SYN with data": {with(func(s *layers.TCP) { s.SYN = true }), 5, 0, 0, 4, true},
		"FIN":           {with(func(s *layers.TCP) { s.FIN = true }), 5, 0, 0, 4, true},
		"nothing":       {segment, 0, 0, 0, 0xfffffffe, true},
		"ACK":           {with(func(s *layers.TCP) { s.ACK = true }), 5, 0, 77, 0, false},
		"SYN and ACK":   {with(func(s *layers.TCP) { s.SYN, s.ACK = true, true }), 0, 0, 77, 0, false},
		"cut short":     {with(func(s *layers.TCP) { s.SYN = true }), 500, 499, 0, 499, true},
		"with options": {with(func(s *layers.TCP) {
			s.SYN = true
			s.Options = []layers.TCPOption{{OptionType: 2, OptionLength: 4, OptionData: []byte{5, 0xb4}}}
		}), 0, 0, 0, 0xffffffff, true},
		"ACK, no number": {with(func(s *layers.TCP) { s.ACK, s.Ack = true, 0 }), 0, 0, 0, 0, false},
	} {
		for _, side := range [][2]netip.Addr{{a4, b4}, {a6, b6}} {
			in := tcpFrame(t, side[0], side[1], c.in, c.data)
			in = in[:len(in)-c.cut]
			before := bytes.Clone(in)
			out, ok := Reset(in, macB, macA)
			if !ok {
				t.Errorf("%s: no reset", name)
				continue
			}
			p := judge(t, out)
			tcp, _ := p.TransportLayer().(*layers.TCP)
			src, dst := p.NetworkLayer().NetworkFlow().Endpoints()
			if tcp == nil || !bytes.Equal(src.Raw(), side[1].AsSlice()) || !bytes.Equal(dst.Raw(), side[0].AsSlice()) || [6]byte(out) != macA || [6]byte(out[6:]) != macB {
				t.Fatalf("%s: %s", name, p)
			}
			if !tcp.RST || tcp.SYN || tcp.FIN || tcp.ACK != c.ackFlag || tcp.Seq != c.seq || tcp.Ack != c.ack || tcp.SrcPort != 80 || tcp.DstPort != 1000 || tcp.DataOffset != 5 || tcp.Urgent != 0 || len(tcp.Payload) != 0 {
				t.Errorf("%s: %+v", name, tcp)
			}
			if !bytes.Equal(before, in) {
				t.Errorf("%s: it changed the frame", name)
			}
		}
	}
}

func TestNoResetIsOwed(t *testing.T) {
	syn := layers.TCP{SrcPort: 1000, DstPort: 80, Seq: 1, SYN: true}
	v4, v6 := tcpFrame(t, a4, b4, syn, 4), tcpFrame(t, a6, b6, syn, 4)
	for name, in := range map[string][]byte{
		"nothing":          nil,
		"a reset":          tcpFrame(t, a4, b4, layers.TCP{SrcPort: 1, DstPort: 2, RST: true}, 0),
		"a reset, IPv6":    tcpFrame(t, a6, b6, layers.TCP{SrcPort: 1, DstPort: 2, RST: true, ACK: true}, 0),
		"UDP":              udpFrame(t, a4, b4, 1, 2, 30),
		"header cut":       v4[:14+20+19],
		"header cut, IPv6": v6[:14+40+19],
		"offset too short": edit(v4, 14+20+12, 0x40)[:14+20+20],
		"options cut":      edit(v4, 14+20+12, 0x60)[:14+20+22],
		"offset too long":  edit(v4, 14+20+12, 0xf0)[:14+20+23],
		"wrong checksum":   edit(v4, len(v4)-1, 0),
		"wrong, IPv6":      edit(v6, len(v6)-1, 0),
		"first fragment":   edit(v4, 20, 0x20),
		"later fragment":   edit(v4, 20, 0, 1),
		"to all":           edit(v4, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"to a group":       tcpFrame(t, a4, netip.MustParseAddr("224.0.0.1"), syn, 0),
		"from nobody":      tcpFrame(t, netip.IPv6Unspecified(), b6, syn, 0),
		"on its way":       extended(v6, 43, 0, 0, 4, 1, 0, 0, 0, 0)[:14+48+20],
	} {
		if out, ok := Reset(in, macB, macA); ok {
			t.Errorf("%s: %x", name, out)
		}
	}
}
