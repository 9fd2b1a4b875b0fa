package openflow

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// protocols are the ways to meet prerequisites: what to match, and which fields
// may then be used.
var protocols = []struct {
	base  Match
	needs []prereq
}{
	{nil, nil},
	{Match{VLANVID.Uint(0x1005)}, []prereq{needVLAN}},
	{Match{EthType.Uint(0x88cc)}, nil},
	{Match{arp}, []prereq{needARP}},
	{Match{v4}, []prereq{needIP, needIPv4}},
	{Match{v6}, []prereq{needIP, needIPv6}},
	{Match{v4, IPProto.Uint(6)}, []prereq{needIP, needIPv4, needTCP}},
	{Match{v6, IPProto.Uint(17)}, []prereq{needIP, needIPv6, needUDP}},
	{Match{v4, IPProto.Uint(132)}, []prereq{needIP, needIPv4, needSCTP}},
	{Match{v4, IPProto.Uint(1)}, []prereq{needIP, needIPv4, needICMPv4}},
	{Match{v6, icmp6}, []prereq{needIP, needIPv6, needICMPv6}},
	{Match{v6, icmp6, ICMPv6Type.Uint(135)}, []prereq{needIP, needIPv6, needND, needNDSolicit}},
	{Match{v6, icmp6, ICMPv6Type.Uint(136)}, []prereq{needIP, needIPv6, needND, needNDAdvert}},
}

func drawValue(t *rapid.T, f Field, exact bool) FieldValue {
	n := f.info().bytes
	value := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "value")
	switch f {
	case InPort:
		return f.Uint(rapid.SampledFrom([]uint64{1, 65279, uint64(PortLocal)}).Draw(t, "port"))
	case ARPOp:
		value[0] = 0
	case VLANVID:
		return f.Uint(0x1000 | uint64(value[1]))
	case IPFrag:
		return f.UintMask(rapid.SampledFrom([]uint64{0, 1}).Draw(t, "frag"), rapid.SampledFrom([]uint64{1, 2, 3}).Draw(t, "frag mask"))
	}
	mask := fullMasks[f]
	if !exact && rapid.Bool().Draw(t, "masked") {
		copy(mask[:], rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "mask"))
	}
	return f.Bytes(value, mask[:n])
}

// drawMatch draws a match that is allowed, and the fields that actions may use.
func drawMatch(t *rapid.T) (m Match, usable []Field) {
	p := rapid.SampledFrom(protocols).Draw(t, "protocol")
	m = append(m, p.base...)
	used := make(map[Field]bool)
	for _, v := range m {
		used[v.Field] = true
	}
	allowed := map[prereq]bool{needNothing: true}
	for _, need := range p.needs {
		allowed[need] = true
	}
	for f := InPort; f < numFields; f++ {
		if !allowed[f.info().need] {
			continue
		}
		usable = append(usable, f)
		decides := f == EthType || f == VLANVID || f == IPProto || f == ICMPv6Type || f == ICMPv6Code
		if used[f] || decides || rapid.IntRange(0, 5).Draw(t, "use") > 0 {
			continue
		}
		if f >= XXReg0 && f <= XXReg3 { // either the wide register or its parts
			first := Reg0 + 4*(f-XXReg0)
			if used[first] || used[first+1] || used[first+2] || used[first+3] {
				continue
			}
		}
		used[f] = true
		m = append(m, drawValue(t, f, f.info().exact))
	}
	return rapid.Permutation(m).Draw(t, "match"), usable
}

func drawAction(t *rapid.T, usable []Field) Action {
	var settable []Field
	for _, f := range usable {
		if !f.info().readOnly && f != InPort && (f != VLANVID || slices.Contains(usable, VLANPCP)) {
			settable = append(settable, f)
		}
	}
	bits := func(f Field, limit int) (ofs, n int) {
		n = rapid.IntRange(1, min(limit, f.Bits())).Draw(t, "n_bits")
		return rapid.IntRange(0, f.Bits()-n).Draw(t, "ofs"), n
	}
	dst := rapid.SampledFrom(settable).Draw(t, "dst")
	switch rapid.IntRange(0, 8).Draw(t, "action") {
	case 0:
		return SetField{drawValue(t, dst, true)}
	case 1:
		ofs, n := bits(dst, 64)
		value := rapid.Uint64().Draw(t, "value")
		if n < 64 {
			value &= 1<<n - 1
		}
		return Load{value, dst, ofs, n}
	case 2:
		src := rapid.SampledFrom(usable).Draw(t, "src")
		srcOfs, n := bits(src, min(128, dst.Bits()))
		return Move{src, srcOfs, dst, rapid.IntRange(0, dst.Bits()-n).Draw(t, "dst_ofs"), n}
	case 3:
		return Resubmit{uint8(rapid.IntRange(0, 254).Draw(t, "table"))}
	case 4:
		return ToGroup{rapid.Uint32().Draw(t, "group")}
	case 5:
		return ToController{rapid.Uint16().Draw(t, "max_len")}
	case 6:
		return CheckPktLarger{rapid.Uint16().Draw(t, "size"), dst, rapid.IntRange(0, dst.Bits()-1).Draw(t, "bit")}
	case 7:
		return CTClear{}
	}
	return Output{rapid.SampledFrom([]uint32{1, 2, 65279, PortInPort, PortLocal}).Draw(t, "port")}
}

// drawVLAN leaves the packet with a tag if it had one, and else without.
func drawVLAN(t *rapid.T, usable []Field) []Action {
	set := SetField{VLANVID.Uint(0x1000 | rapid.Uint64().Draw(t, "vid"))}
	if slices.Contains(usable, VLANPCP) {
		return []Action{PopVLAN{}, PushVLAN{}, set}
	}
	return []Action{PushVLAN{}, set, PopVLAN{}}
}

func drawCT(t *rapid.T, match Match, usable []Field) CT {
	state := match.lenient().find(CTState)
	a := CT{
		Commit: rapid.Bool().Draw(t, "commit") && (state == nil || state.Uint64()&ctInvalid == 0),
		Zone:   rapid.Uint16().Draw(t, "zone"),
		Table:  uint8(rapid.IntRange(0, 254).Draw(t, "ct table")),
	}
	if f := rapid.SampledFrom(usable).Draw(t, "zone field"); f.Bits() >= 16 && rapid.Bool().Draw(t, "by field") {
		a.Zone, a.ZoneField, a.ZoneOfs = 0, f, rapid.IntRange(0, f.Bits()-16).Draw(t, "zone ofs")
	}
	a.NAT.Kind = NATKind(rapid.IntRange(0, 1).Draw(t, "nat"))
	if !a.Commit {
		return a
	}
	a.Force = rapid.Bool().Draw(t, "force")
	if mask := rapid.Uint32().Draw(t, "mark mask"); mask != 0 {
		a.Mark = CTMark.UintMask(rapid.Uint64().Draw(t, "mark"), uint64(mask))
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "labels") {
		src := rapid.SampledFrom(usable).Draw(t, "label src")
		n := rapid.IntRange(1, src.Bits()).Draw(t, "label bits")
		a.Label[i] = Move{src, rapid.IntRange(0, src.Bits()-n).Draw(t, "label src_ofs"), CTLabel, rapid.IntRange(0, 128-n).Draw(t, "label ofs"), n}
	}
	if a.NAT.Kind == NATNone {
		return a
	}
	size := 16
	if slices.Contains(usable, IPv4Src) {
		size = 4
	}
	addr := func() netip.Addr {
		b := rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address")
		b[0] |= 1
		a, _ := netip.AddrFromSlice(b)
		return a
	}
	a.NAT = NAT{rapid.SampledFrom([]NATKind{NATSource, NATDest}).Draw(t, "side"), addr(), addr(), rapid.Uint16().Draw(t, "port"), rapid.Uint16().Draw(t, "last port")}
	if rapid.Bool().Draw(t, "one address") || a.NAT.Max.Less(a.NAT.Min) {
		a.NAT.Max = a.NAT.Min
	}
	if a.NAT.PortMin == 0 || a.NAT.PortMax < a.NAT.PortMin {
		a.NAT.PortMax = a.NAT.PortMin
	}
	a.NAT = a.NAT.single()
	return a
}

func drawFlow(t *rapid.T) Flow {
	match, usable := drawMatch(t)
	f := Flow{
		Table:    uint8(rapid.IntRange(0, 250).Draw(t, "table")),
		Priority: rapid.Uint16().Draw(t, "priority"),
		Cookie:   rapid.Uint64().Draw(t, "cookie"),
		Match:    match,
		Meter:    rapid.SampledFrom([]uint32{0, 0, 1, 1000}).Draw(t, "meter"),
	}
	for range rapid.IntRange(0, 5).Draw(t, "actions") {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			f.Actions = append(f.Actions, drawVLAN(t, usable)...)
		case 1:
			f.Actions = append(f.Actions, Load{rapid.SampledFrom([]uint64{0, 1, uint64(PortAny)}).Draw(t, "in_port"), InPort, 0, 32})
		case 2, 3:
			if slices.Contains(usable, IPTTL) {
				f.Actions = append(f.Actions, drawCT(t, match, usable))
			}
		default:
			f.Actions = append(f.Actions, drawAction(t, usable))
		}
	}
	if rapid.Bool().Draw(t, "goto") {
		f.Goto = uint8(rapid.IntRange(int(f.Table)+1, 254).Draw(t, "goto table"))
	}
	return f
}

// TestFlowRoundTrip: a flow that is encoded and decoded is the same flow, and
// every way in which a flow travels has the same sum.
func TestFlowRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFlow(t)
		e, err := Encode(f)
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		m, err := ParseMessage(e.Add)
		if err != nil {
			t.Fatal(err)
		}
		mod, err := DecodeFlowMod(m)
		if err != nil || mod.ID != e.ID || mod.Sum != e.Sum || mod.Command != FlowAdd {
			t.Fatalf("flow-mod %+v, %v, want %+v", mod, err, e)
		}
		stats, err := DecodeFlowStats(AppendFlowStat(nil, FlowStat{ID: mod.ID, Match: mod.Match, Instructions: mod.Instructions}))
		if err != nil || len(stats) != 1 || stats[0].ID != e.ID || stats[0].Sum != e.Sum {
			t.Fatalf("statistics %+v, %v, want %+v", stats, err, e)
		}
		got, err := DecodeFlow(mod.ID, mod.Match, mod.Instructions)
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		want := f
		if want.Match, err = f.Match.Canonical(); err != nil {
			t.Fatal(err)
		}
		if len(want.Match) == 0 {
			want.Match = nil
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Fatalf("decoded flow differs (-want +got):\n%s", diff)
		}
		if got.String() != f.String() {
			t.Fatalf("text of the decoded flow\n%v\nwant\n%v", got, f)
		}
		again, err := Encode(got)
		if err != nil || !bytes.Equal(again.Add, e.Add) {
			t.Fatalf("encoded again: %v", err)
		}
	})
}

// TestRandomFlowsOnSwitch has a real switch keep random flows and expects the
// same bytes and text back.
func TestRandomFlowsOnSwitch(t *testing.T) {
	v := startOVS(t)
	c := v.connect()
	entries := make(map[ID]uint64)
	for id := range uint32(2) {
		e, err := EncodeMeter(Meter{ID: 1 + 999*id, Rate: 10})
		if err != nil {
			t.Fatal(err)
		}
		c.must(e.Add)
		entries[e.ID] = e.Sum
	}
	next := uint16(0)
	var flows []string
	rapid.Check(t, func(rt *rapid.T) {
		f := drawFlow(rt)
		next++
		f.Priority = next // one place for each
		for i, a := range f.Actions {
			if _, ok := a.(ToGroup); ok {
				f.Actions[i] = Output{1}
			}
		}
		e, err := Encode(f)
		if err != nil {
			rt.Fatal(err)
		}
		for _, m := range c.do(e.Add) {
			rt.Fatalf("the switch refused %v: %v", f, c.errorOf(m))
		}
		flows = append(flows, f.String())
		entries[e.ID] = e.Sum
	})
	if diff := cmp.Diff(entries, c.reported()); diff != "" {
		t.Errorf("the switch reports something else (-sent +reported):\n%s", diff)
	}
	v.compareTexts(flows)
}
