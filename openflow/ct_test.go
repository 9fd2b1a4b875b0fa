package openflow

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

func TestCTRefuses(t *testing.T) {
	to := func(kind NATKind, from, last string, ports ...uint16) CT {
		n := NAT{Kind: kind}
		if from != "" {
			n.Min = ip(from)
		}
		if last != "" {
			n.Max = ip(last)
		}
		if len(ports) == 2 {
			n.PortMin, n.PortMax = ports[0], ports[1]
		}
		return CT{Commit: true, NAT: n}
	}
	ipv4, ipv6 := Match{v4}, Match{v6}
	label := Move{Src: Reg0, Dst: CTLabel, DstOfs: 8, NBits: 8}
	for _, test := range []struct {
		match Match
		ct    CT
		want  string
	}{
		{nil, CT{}, "ct needs a match on eth_type IPv4 or IPv6"},
		{Match{arp}, CT{}, "ct needs a match on eth_type IPv4 or IPv6"},
		{ipv4, CT{Force: true}, "ct with force and without commit"},
		{ipv4, CT{Table: 255}, "ct to table 255"},
		{ipv4, CT{Zone: 1, ZoneField: Reg0}, "ct with the zones 1 and reg0"},
		{ipv4, CT{ZoneOfs: 16}, "ct with bits of no field as its zone"},
		{ipv4, CT{ZoneField: 250}, "unknown field 250"},
		{ipv4, CT{ZoneField: Reg0, ZoneOfs: 17}, "reg0 has no 16 bits at bit 17"},
		{ipv4, CT{ZoneField: VLANVID}, "vlan_vid has no 16 bits at bit 0"},
		{ipv4, CT{ZoneField: TCPSrc}, "tcp_src needs a match on eth_type IP, nw_proto TCP and no later fragment"},
		{ipv4, CT{Mark: CTMark.Uint(1)}, "ct sets ct_mark without commit"},
		{ipv4, CT{Commit: true, Mark: Reg0.Uint(1)}, "ct sets reg0 instead of ct_mark"},
		{ipv4, CT{Commit: true, Mark: CTMark.UintMask(1, 0)}, "ct sets no bit of ct_mark"},
		{ipv4, CT{Label: [3]Move{label}}, "ct sets ct_label without commit"},
		{ipv4, CT{Commit: true, Label: [3]Move{{}, label}}, "ct copies nothing first, and then something, to ct_label"},
		{ipv4, CT{Commit: true, Label: [3]Move{{Src: Reg0, Dst: Reg1, NBits: 8}}}, "ct copies to reg1 instead of ct_label"},
		{ipv4, CT{Commit: true, Label: [3]Move{label, {Src: Reg0, Dst: CTLabel, DstOfs: 121, NBits: 8}}}, "ct_label has no 8 bits at bit 121"},
		{ipv4, CT{Commit: true, Label: [3]Move{{Src: Reg0, SrcOfs: 25, Dst: CTLabel, NBits: 8}}}, "reg0 has no 8 bits at bit 25"},
		{ipv4, CT{Commit: true, Label: [3]Move{{Src: TCPSrc, Dst: CTLabel, NBits: 8}}}, "tcp_src needs a match on eth_type IP, nw_proto TCP and no later fragment"},
		{ipv4, CT{Commit: true, Label: [3]Move{{Src: 250, Dst: CTLabel, NBits: 8}}}, "unknown field 250"},
		{ipv4, CT{NAT: NAT{Kind: NATSource, Min: ip("10.0.0.1")}}, "nat to an address without commit"},
		{ipv4, to(4, "10.0.0.1", ""), "unknown kind of nat 4"},
		{ipv4, to(NATNone, "10.0.0.1", ""), "nat with an address or port must be of a source or destination"},
		{ipv4, to(NATKnown, "", "", 1, 0), "nat with an address or port must be of a source or destination"},
		{ipv4, to(NATSource, "", ""), "nat to no address"},
		{ipv4, to(NATSource, "", "10.0.0.1"), "nat to no address"},
		{ipv4, to(NATDest, "0.0.0.0", ""), "nat to no address"},
		{ipv6, to(NATDest, "fe80::1%eth0", ""), "nat to an address with a zone, fe80::1%eth0"},
		{ipv4, to(NATSource, "10.0.0.2", "10.0.0.1"), "nat to addresses from 10.0.0.2 to 10.0.0.1"},
		{ipv4, to(NATSource, "10.0.0.2", "fd00::1"), "nat to addresses from 10.0.0.2 to fd00::1"},
		{ipv4, to(NATSource, "10.0.0.2", "", 0, 5), "nat to ports from 0 to 5"},
		{ipv4, to(NATSource, "10.0.0.2", "", 6, 5), "nat to ports from 6 to 5"},
		{ipv6, to(NATSource, "10.0.0.1", ""), "nat to 10.0.0.1 needs a match on eth_type IPv4"},
		{ipv4, to(NATSource, "fd00::1", ""), "nat to fd00::1 needs a match on eth_type IPv6"},
		{Match{v4, CTState.UintMask(0x30, 0x30)}, CT{Commit: true}, "ct with commit of packets with ct_state=+inv"},
	} {
		_, err := Encode(Flow{Match: test.match, Actions: []Action{test.ct}})
		if want := "action 1: " + test.want; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", ActionsString([]Action{test.ct}), err, want)
		}
	}
}

// TestCTUnknown changes bytes of a ct action into what a CT cannot say: it must be an
// error, so that a flow of somebody else is not shown as something that it is not.
func TestCTUnknown(t *testing.T) {
	actions := func(ct CT) []byte {
		t.Helper()
		encoded, err := encodeCT(ct, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := encoded.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	both := actions(CT{Commit: true, ZoneField: Reg0, NAT: NAT{NATSource, ip("10.0.0.1"), ip("10.0.0.9"), 1, 9}, Mark: CTMark.Uint(1)})
	v6 := actions(CT{Commit: true, NAT: NAT{Kind: NATDest, Min: ip("fd00::1"), Max: ip("fd00::9")}})
	bits := actions(CT{Commit: true, Mark: CTMark.UintMask(5, 0xf)})
	const nat, mark = 24, 24 + 32 // where they are in both
	for _, test := range []struct {
		name string
		ct   []byte
		at   int
		to   []byte
	}{
		{"flags", both, 11, []byte{1 | 4}},
		{"zone of 15 bits", both, 17, []byte{14}},
		{"zone of an unknown field", both, 14, []byte{0xfe}},
		{"table 0", both, 18, []byte{0}},
		{"helper", both, 23, []byte{21}},
		{"length of the nat, 0", both, nat + 2, []byte{0, 0}},
		{"length of the nat, too long", both, nat + 2, []byte{0, 88}},
		{"length of the nat, too short for its range", both, nat + 2, []byte{0, 24}},
		{"nat of both sides", both, nat + 13, []byte{3}},
		{"random port", both, nat + 13, []byte{1 | 1<<4}},
		{"two nats", both, mark, both[nat:mark]},
		{"range of nothing", both, nat + 15, []byte{0}},
		{"range of what", both, nat + 14, []byte{1}},
		{"range that ends before it begins", both, nat + 16, []byte{11}},
		{"range of one", both, nat + 23, []byte{1}},
		{"range of one IPv6 address", v6, nat + 47, []byte{1}},
		{"range of one port", both, nat + 27, []byte{1}},
		{"bytes behind the range", both, nat + 28, []byte{1}},
		{"action without a subtype", both, mark, []byte{0xff, 0xff, 0, 8, 0, 0, 0x23, 0x20}},
		{"action that is no set_field", both, mark + 1, []byte{22}},
		{"set_field of another field", both, mark + 4, []byte{0, 1, 0, 4}},
		{"nat behind the mark", both, nat, append(bytes.Clone(both[mark:]), both[nat:mark]...)},
		{"load of another field", bits, 24 + 12, []byte{0, 1, 0, 4}},
		{"load beyond the field", bits, 24 + 10, []byte{0xff, 0xc3}},
		{"load of more than fits", bits, 24 + 23, []byte{0x15}},
		{"load of the whole field", bits, 24 + 10, []byte{0, 31}},
		{"ct within ct", both, mark, both[:16]},
	} {
		if _, err := DecodeActions(test.ct); err != nil {
			t.Fatal(err)
		}
		b := bytes.Clone(test.ct)
		copy(b[test.at:], test.to)
		if bytes.Equal(b, test.ct) {
			t.Errorf("%s: nothing changed", test.name)
		}
		if got, err := DecodeActions(b); err == nil {
			t.Errorf("%s: decoded as %s", test.name, ActionsString(got))
		}
	}
	mixed := append([]byte{0, 0, 0, natSource, 0, natIPv4Min | natIPv6Min}, bytes.Repeat([]byte{1}, 20)...)
	if got, err := decodeNAT(mixed); err == nil {
		t.Errorf("range of IPv4 and IPv6: %v", got)
	}
	padded := append(actions(CT{NAT: NAT{Kind: NATKnown}}), make([]byte, 8)...)
	padded[3], padded[nat+3] = 48, 24
	if got, err := DecodeActions(padded); err == nil {
		t.Errorf("bytes behind no range: %s", ActionsString(got))
	}
	for n := 1; n < len(both); n++ {
		cut := bytes.Clone(both[:n])
		if n >= 4 {
			be.PutUint16(cut[2:], uint16(n))
		}
		if got, err := DecodeActions(cut); err == nil && n%8 == 0 && n != nat && n != mark {
			t.Errorf("cut after %d bytes: %s", n, ActionsString(got))
		}
	}
}

// TestActionsComparable: a CT with addresses is a value like any other action.
func TestActionsComparable(t *testing.T) {
	one := func() Action {
		return CT{Commit: true, NAT: NAT{Kind: NATSource, Min: netip.AddrFrom4([4]byte{10, 0, 0, 1})}, Mark: CTMark.Uint(1)}
	}
	if one() != one() || one() == Action(CT{Commit: true}) {
		t.Error("actions are not compared by their value")
	}
}
