package openflow

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("rapid.nofailfile", "true") // a failure prints its seed, that is enough
	os.Exit(m.Run())
}

func TestEncodeRefuses(t *testing.T) {
	long := make([]Action, 5000)
	for i := range long {
		long[i] = Output{1}
	}
	for _, test := range []struct {
		name string
		flow Flow
		want string
	}{
		{"field twice", Flow{Match: Match{Reg0.Uint(1), Reg0.Uint(2)}}, "reg0 is matched twice"},
		{"register twice", Flow{Match: Match{XXReg1.Addr(ip("::1")), Reg7.Uint(2)}}, "reg7 is matched twice"},
		{"no eth_type", Flow{Match: Match{IPv4Src.Addr(ip("10.0.0.1"))}}, "ip_src needs a match on eth_type IPv4"},
		{"wrong eth_type", Flow{Match: Match{v6, IPv4Src.Addr(ip("10.0.0.1"))}}, "ip_src needs a match on eth_type IPv4"},
		{"no nw_proto", Flow{Match: Match{v4, TCPDst.Uint(80)}}, "tcp_dst needs a match on eth_type IP, nw_proto TCP and no later fragment"},
		{"later fragment", Flow{Match: Match{v4, IPProto.Uint(17), IPFrag.UintMask(2, 2), UDPDst.Uint(80)}}, "udp_dst needs a match on eth_type IP, nw_proto UDP and no later fragment"},
		{"impossible fragment", Flow{Match: Match{v4, IPFrag.Uint(2)}}, "ip_frag 2 is a later fragment but none"},
		{"no nd", Flow{Match: Match{v6, icmp6, ICMPv6Type.Uint(128), NDTarget.Addr(ip("::1"))}}, "nd_target needs a match on icmpv6_type 135 or 136"},
		{"sll of an advertisement", Flow{Match: Match{v6, icmp6, ICMPv6Type.Uint(136), NDSLL.MAC(mac(1))}}, "nd_sll needs a match on icmpv6_type 135"},
		{"pcp without tag", Flow{Match: Match{VLANPCP.Uint(1)}}, "vlan_pcp needs a match on vlan_vid with a tag"},
		{"not maskable", Flow{Match: Match{v4, IPProto.UintMask(1, 3)}}, "nw_proto cannot be masked"},
		{"unknown field", Flow{Match: Match{{Field: 250}}}, "unknown field 250"},
		{"goto back", Flow{Table: 10, Goto: 10}, "goto_table:10 does not lead to a later table"},
		{"goto nowhere", Flow{Table: 10, Goto: 255}, "goto_table:255 does not lead to a later table"},
		{"table", Flow{Table: 255}, "there is no table 255"},
		{"read-only", Flow{Match: Match{v4}, Actions: []Action{SetField{IPProto.Uint(1)}}}, "action 1: nw_proto cannot be set"},
		{"action without prerequisite", Flow{Actions: []Action{Output{1}, SetField{ARPOp.Uint(1)}}}, "action 2: arp_op needs a match on eth_type ARP"},
		{"tag without its bit", Flow{Match: Match{VLANVID.Uint(0x1001)}, Actions: []Action{SetField{VLANVID.Uint(5)}}}, "action 1: vlan_vid 5 lacks the bit 0x1000"},
		{"tag of what", Flow{Actions: []Action{SetField{VLANVID.Uint(0x1005)}}}, "action 1: vlan_vid needs a match on vlan_vid with a tag"},
		{"ttl of what", Flow{Actions: []Action{DecTTL{}}}, "action 1: dec_ttl needs a match on eth_type IPv4 or IPv6"},
		{"set nothing", Flow{Actions: []Action{SetField{Reg0.UintMask(1, 0)}}}, "action 1: set_field of no bit of reg0"},
		{"load too much", Flow{Actions: []Action{Load{Value: 2, Dst: Reg0, NBits: 1}}}, "action 1: 0x2 does not fit 1 bits of reg0"},
		{"load beyond", Flow{Actions: []Action{Load{Dst: Reg0, Ofs: 30, NBits: 3}}}, "action 1: reg0 has no 3 bits at bit 30"},
		{"move beyond", Flow{Actions: []Action{Move{Src: Reg0, Dst: TunID, NBits: 64}}}, "action 1: reg0 has no 64 bits at bit 0"},
		{"output", Flow{Actions: []Action{Output{PortController}}}, "action 1: output to the controller has a length: use ToController"},
		{"output to a port that cannot be", Flow{Actions: []Action{Output{0x10000}}}, "action 1: output to 65536, which is no port"},
		{"in_port that cannot be", Flow{Match: Match{InPort.Uint(0xff00)}}, "in_port 65280 is no port"},
		{"arp_op that cannot be", Flow{Match: Match{arp, ARPOp.Uint(256)}}, "arp_op 256 is more than 255"},
		{"set_field of in_port", Flow{Actions: []Action{SetField{InPort.Uint(0)}}}, "action 1: in_port is set by a load, Open vSwitch takes no set_field of it"},
		{"a part of in_port", Flow{Actions: []Action{Load{0, InPort, 0, 16}}}, "action 1: in_port is set as a whole"},
		{"move into a part of in_port", Flow{Actions: []Action{Move{Src: Reg0, Dst: InPort, NBits: 16}}}, "action 1: in_port is set as a whole"},
		{"in_port that cannot be, set", Flow{Actions: []Action{Load{0xffff, InPort, 0, 32}}}, "action 1: in_port 65535 is no port"},
		{"second tag", Flow{Match: Match{VLANVID.Uint(0x1005)}, Actions: []Action{PushVLAN{}}}, "action 1: push_vlan of a second tag"},
		{"second tag pushed", Flow{Actions: []Action{PushVLAN{}, PushVLAN{}}}, "action 2: push_vlan of a second tag"},
		{"pop of what", Flow{Match: Match{VLANVID.Uint(0)}, Actions: []Action{PopVLAN{}}}, "action 1: pop_vlan needs a match on vlan_vid with a tag"},
		{"tag that was popped", Flow{Match: Match{VLANPCP.Uint(1), VLANVID.Uint(0x1001)}, Actions: []Action{PopVLAN{}, SetField{VLANPCP.Uint(5)}}}, "action 2: vlan_pcp needs a match on vlan_vid with a tag"},
		{"pushed tag that was popped", Flow{Actions: []Action{PushVLAN{}, PopVLAN{}, SetField{VLANVID.Uint(0x1005)}}}, "action 3: vlan_vid needs a match on vlan_vid with a tag"},
		{"check into no bit", Flow{Actions: []Action{CheckPktLarger{1500, Reg0, 32}}}, "action 1: reg0 has no 1 bits at bit 32"},
		{"check into what", Flow{Actions: []Action{CheckPktLarger{1500, CTMark, 0}}}, "action 1: ct_mark cannot be set"},
		{"check into in_port", Flow{Actions: []Action{CheckPktLarger{1500, InPort, 0}}}, "action 1: in_port is set as a whole"},
		{"nil action", Flow{Actions: []Action{nil}}, "action 1: unknown action <nil>"},
		{"too long", Flow{Actions: long}, "a message of 80064 bytes, at most 65511 are possible"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Encode(test.flow)
			if err == nil || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			_ = test.flow.String() // prints it as well as it can
		})
	}
}

// TestLongest sends the longest possible flow through a real switch.
func TestLongest(t *testing.T) {
	f := Flow{Table: 1, Actions: make([]Action, (maxEntry-flowModHead-16)/16)}
	for i := range f.Actions {
		f.Actions[i] = Output{1}
	}
	e := mustEncode(t, f)
	c := startOVS(t).connect()
	c.must(BundleOpen(1, BundleOrdered), AppendBundleAdd(nil, 1, BundleOrdered, e.Add), BundleCommit(1, BundleOrdered))
	if got := c.reported()[e.ID]; got != e.Sum {
		t.Errorf("the longest flow, of %d bytes, did not come back", len(e.Add))
	}
}

func TestEncodeGroupRefuses(t *testing.T) {
	long := Bucket{Actions: make([]Action, 5000)}
	for i := range long.Actions {
		long.Actions[i] = SetField{Reg0.Uint(1)}
	}
	bucket := func(a ...Action) Group { return Group{Buckets: []Bucket{{Actions: a}}} }
	for want, g := range map[string]Group{
		"the highest id is 4294967040":                                         {ID: 0xffffff01},
		"unknown type 4":                                                       {Type: 4},
		"an indirect group has one bucket, not 0":                              {Type: GroupIndirect},
		"only buckets of a select group have a weight":                         {Buckets: []Bucket{{Weight: 1}}},
		"bucket 1: action 1: unknown action <nil>":                             bucket(nil),
		"buckets of a fast failover group watch a port":                        {Type: GroupFastFailover, Buckets: []Bucket{{}}},
		"65280 is no port to watch":                                            {Type: GroupSelect, Buckets: []Bucket{{WatchPort: 0xff00}}},
		"only buckets of a fast failover or select group watch a port":         {Buckets: []Bucket{{WatchPort: 1}}},
		"action 2: a bucket cannot run resubmit(,5) after output:1":            bucket(Output{1}, Resubmit{5}),
		"action 2: a bucket cannot run ct(table=5) after ct(commit)":           bucket(CT{Commit: true}, CT{Table: 5}),
		"action 2: a bucket cannot run output:1 after group:5":                 bucket(ToGroup{5}, Output{1}),
		"action 2: a bucket cannot run set_field:0x1->reg0 after CONTROLLER:1": bucket(ToController{1}, SetField{Reg0.Uint(1)}),
		"action 2: a bucket cannot run dec_ttl after dec_ttl":                  bucket(DecTTL{}, DecTTL{}),
		"action 2: a bucket cannot run dec_ttl after load:0x1->NXM_NX_REG0[]":  bucket(Load{1, Reg0, 0, 32}, DecTTL{}),
		"action 2: a bucket cannot run pop_vlan after push_vlan:0x8100":        bucket(PushVLAN{}, PopVLAN{}),
		"action 1: a bucket leaves out ct_clear":                               bucket(CTClear{}),
		"action 1: a bucket leaves out check_pkt_larger(5)->NXM_NX_REG0[1]":    bucket(CheckPktLarger{5, Reg0, 1}),
		"a message of 80016 bytes, at most 65511 are possible":                 {Buckets: []Bucket{long}},
	} {
		if _, err := EncodeGroup(g); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	for _, id := range []uint32{0, 0xffff0001} {
		if _, err := EncodeMeter(Meter{ID: id}); err == nil {
			t.Errorf("meter %#x was accepted", id)
		}
	}
}

func TestPacketOutRefuses(t *testing.T) {
	if _, err := PacketOut(1, nil, make([]byte, 65512)); err == nil {
		t.Error("a packet longer than a message was accepted")
	}
	if _, err := PacketOut(1, []Action{nil}, nil); err == nil {
		t.Error("an unknown action was accepted")
	}
}

// TestValues checks how values are laid out and cut to size.
func TestValues(t *testing.T) {
	for _, test := range []struct {
		name        string
		got         FieldValue
		value, mask string
	}{
		{"integer", Reg0.Uint(0x1_00000005), "\x00\x00\x00\x05", "\xff\xff\xff\xff"},
		{"bits outside the mask", Reg0.UintMask(0xff, 0x0f), "\x00\x00\x00\x0f", "\x00\x00\x00\x0f"},
		{"narrow field", VLANVID.Uint(0xffff), "\x1f\xff", "\x1f\xff"},
		{"two bits", IPFrag.Uint(7), "\x03", "\x03"},
		{"64 bits", TunID.Uint(1 << 63), "\x80\x00\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"prefix", IPv4Src.Prefix(cidr("10.1.2.3/23")), "\x0a\x01\x02\x00", "\xff\xff\xfe\x00"},
		{"everything", IPv4Src.Prefix(cidr("10.1.2.3/0")), "\x00\x00\x00\x00", "\x00\x00\x00\x00"},
		{"mac", EthDst.MACMask(mac(9), [6]byte{5: 1}), "\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x01"},
	} {
		if string(test.got.value()) != test.value || string(test.got.mask()) != test.mask {
			t.Errorf("%s: value %x, mask %x", test.name, test.got.value(), test.got.mask())
		}
		if !allZero(test.got.Value[len(test.value):]) || !allZero(test.got.Mask[len(test.mask):]) {
			t.Errorf("%s: bytes beyond the field are not zero", test.name)
		}
	}
	for name, f := range map[string]func(){
		"IPv4 in an IPv6 field": func() { IPv6Src.Addr(ip("10.0.0.1")) },
		"IPv6 in an IPv4 field": func() { IPv4Src.Addr(ip("::1")) },
		"integer in 128 bits":   func() { XXReg0.Uint(1) },
		"MAC in a register":     func() { Reg0.MAC(mac(1)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}

// TestFieldTable checks what the rest relies on.
func TestFieldTable(t *testing.T) {
	for f := InPort; f < numFields; f++ {
		info := f.info()
		if info.name == "" || info.nxmName == "" || info.bytes == 0 || info.bits > 8*info.bytes || info.bits <= 8*info.bytes-32 {
			t.Errorf("field %d: %+v", f, info)
		}
		if byWire[info.match] != f || byWire[info.nxm] != f {
			t.Errorf("%v shares its number with another field", f)
		}
		wide := f >= XXReg0 && f <= XXReg3
		if !wide && wireOrder[wireRank[f]] != f {
			t.Errorf("%v has no place in a match", f)
		}
	}
}

func TestSeal(t *testing.T) {
	flows := []Flow{
		{Table: 1, Priority: 5, Match: Match{Reg0.Uint(1)}, Actions: []Action{Output{1}}},
		{Table: 1, Priority: 5, Match: Match{Reg0.Uint(2)}, Actions: []Action{Output{1}}},
		{Table: 1, Priority: 5, Match: Match{Reg0.Uint(1)}, Actions: []Action{Output{1}}, Cookie: 77}, // the first again
	}
	entries, err := Seal("tenants/red/endpoints/web1", flows)
	if err != nil {
		t.Fatal(err)
	}
	// These numbers are in the switches of users: they must never change.
	want := []uint64{0x76265e6542ce2866, 0x76265e656e150bca}
	if len(entries) != len(want) {
		t.Fatalf("%d entries, want %d", len(entries), len(want))
	}
	for i, e := range entries {
		if e.ID.Cookie != want[i] {
			t.Errorf("cookie %#x, want %#x", e.ID.Cookie, want[i])
		}
		f := flows[i]
		f.Cookie = e.ID.Cookie
		if same := mustEncode(t, f); same.ID != e.ID || same.Sum != e.Sum || !bytes.Equal(same.Add, e.Add) {
			t.Errorf("Seal and Encode differ: %+v, %+v", e, same)
		}
	}
	other, err := Seal("tenants/red/endpoints/web2", flows[:1])
	if err != nil || uint32(other[0].ID.Cookie) != uint32(entries[0].ID.Cookie) || other[0].ID.Cookie>>32 == entries[0].ID.Cookie>>32 {
		t.Errorf("another source: %+v, %v", other, err)
	}
	clash := flows[0]
	clash.Goto = 9
	if _, err := Seal("x", []Flow{flows[0], clash}); err == nil || !strings.Contains(err.Error(), "same table, priority and match") {
		t.Errorf("two flows in one place: %v", err)
	}
	if _, err := Seal("x", []Flow{{Match: Match{{Field: 250}}}}); err == nil {
		t.Error("a bad flow was sealed")
	}
}

func benchmarkFlow() Flow {
	return Flow{Table: 30, Priority: 100, Cookie: 1, Match: Match{v4, Reg0.Uint(5), InPort.Uint(1), EthDst.MAC(mac(1)), IPv4Src.Addr(ip("10.0.0.1")), IPv4Dst.Prefix(cidr("10.0.0.0/24"))},
		Actions: []Action{SetField{EthDst.MAC(mac(2))}, DecTTL{}, Load{1, Reg2, 0, 1}, SetField{TunID.Uint(5)}, Output{2}}, Goto: 40}
}

func BenchmarkEncode(b *testing.B) {
	f := benchmarkFlow()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Encode(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	f := []Flow{benchmarkFlow(), {Table: 1, Match: Match{Reg0.Uint(1)}, Actions: []Action{Output{1}}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Seal("x", f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkString(b *testing.B) {
	f := benchmarkFlow()
	b.ReportAllocs()
	for b.Loop() {
		_ = f.String()
	}
}
