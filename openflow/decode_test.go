package openflow

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNegotiateVersion(t *testing.T) {
	bitmap := func(versions ...int) []byte {
		b := []byte{0, 1, 0, 8, 0, 0, 0, 0}
		for _, v := range versions {
			b[7] |= 1 << v
		}
		return b
	}
	for _, test := range []struct {
		name    string
		version uint8
		body    []byte
		want    bool
	}{
		{"1.3", 4, nil, true},
		{"1.0 only", 1, nil, false},
		{"1.5 without bitmap", 6, nil, true},
		{"1.3 to 1.5", 6, bitmap(4, 5, 6), true},
		{"1.0 and 1.5", 6, bitmap(1, 6), false},
		{"1.0 and 1.3, header 1.0", 1, bitmap(1, 4), true},
		{"unknown element first", 6, append([]byte{0, 9, 0, 5, 0, 0, 0, 0}, bitmap(1)...), false},
		{"element of length 0", 4, make([]byte, 64), true},
		{"element longer than the message", 4, []byte{0, 1, 0xff, 0xff, 0, 0, 0, 0}, true},
	} {
		if got := NegotiateVersion(Message{Version: test.version, Type: TypeHello, Body: test.body}); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if NegotiateVersion(Message{Version: 4, Type: TypeError}) {
		t.Error("an error is not a hello")
	}
}

// TestCutShort cuts every seed at every length: none may panic, hang, or read
// beyond the end.
func TestCutShort(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "fuzz", "FuzzDecode", "ovs-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw := seedBytes(t, b)
		for n := headerLen; n < len(raw); n++ {
			m := header(raw)
			m.Body = raw[headerLen:n:n]
			decodeByType(m)
		}
	}
}

// TestLengthsThatLie has lengths within messages that are zero, too small or too
// large: each must be an error, and soon.
func TestLengthsThatLie(t *testing.T) {
	e := mustEncode(t, Flow{Table: 1, Match: Match{Reg0.Uint(1)}, Actions: []Action{Output{1}}})
	m, err := ParseMessage(e.Add)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := DecodeFlowMod(m)
	if err != nil {
		t.Fatal(err)
	}
	stat := AppendFlowStat(nil, FlowStat{Match: mod.Match, Instructions: mod.Instructions})
	group, err := EncodeGroup(Group{ID: 1, Buckets: []Bucket{{Actions: []Action{Output{1}}}}})
	if err != nil {
		t.Fatal(err)
	}
	desc := EntryMod{ID: group.ID, Body: group.Add[groupModHead:]}.AppendDesc(nil)
	updates := append(make([]byte, 24), mod.Match...)
	updates[1] = byte(len(updates))
	full := func(b []byte) error {
		stats, err := DecodeFlowStats(b)
		for _, s := range stats {
			if _, err := DecodeFlow(s.ID, s.Match, s.Instructions); err != nil {
				return err
			}
		}
		return err
	}
	for _, test := range []struct {
		name   string
		body   []byte
		at     int // of the 16-bit length
		decode func([]byte) error
	}{
		{"flow statistics", stat, 0, full},
		{"match", stat, flowStatHead + 2, full},
		{"instruction", stat, flowStatHead + len(mod.Match) + 2, full},
		{"action", stat, flowStatHead + len(mod.Match) + 10, full},
		{"group", desc, 0, func(b []byte) error { _, err := DecodeGroups(b); return err }},
		{"bucket", desc, 8, func(b []byte) error { _, err := DecodeGroups(b); return err }},
		{"action in a bucket", desc, 8 + bucketHead + 2, func(b []byte) error { _, err := DecodeGroups(b); return err }},
		{"group sums", desc, 0, func(b []byte) error { _, err := DecodeGroupDescs(b); return err }},
		{"meters", desc, 0, func(b []byte) error { _, err := DecodeMeterConfigs(b); return err }},
		{"flow update", updates, 0, func(b []byte) error { _, err := DecodeFlowUpdates(b); return err }},
		{"match of a flow update", updates, 26, func(b []byte) error {
			u, err := DecodeFlowUpdates(b)
			if err == nil {
				_, err = DecodeMatch(u[0].Match)
			}
			return err
		}},
	} {
		if err := test.decode(test.body); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		for _, length := range []byte{0, 1, 3, 7, 0xff} {
			b := bytes.Clone(test.body)
			b[test.at], b[test.at+1] = 0, length
			if length == 0xff {
				b[test.at] = 0xff
			}
			if err := test.decode(b); err == nil {
				t.Errorf("%s: a length of %#x%02x is no error", test.name, b[test.at], length)
			}
		}
	}
}

// TestWatchedGroup: a bucket that watches a group is not taken for one that does not.
func TestWatchedGroup(t *testing.T) {
	group, err := EncodeGroup(Group{ID: 1, Type: GroupSelect, Buckets: []Bucket{{WatchPort: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	desc := EntryMod{ID: group.ID, Kind: uint16(GroupSelect), Body: group.Add[groupModHead:]}.AppendDesc(nil)
	if _, err := DecodeGroups(desc); err != nil {
		t.Error(err)
	}
	be.PutUint32(desc[16:], 2)
	if groups, err := DecodeGroups(desc); err == nil {
		t.Errorf("decoded as %v", groups)
	}
}

// TestOtherTag: only a tag of 802.1Q is a PushVLAN.
func TestOtherTag(t *testing.T) {
	for tpid, known := range map[uint16]bool{0x8100: true, 0x88a8: false} {
		b := be.AppendUint16([]byte{0, actionPushVLAN, 0, 8}, tpid)
		if a, err := DecodeActions(append(b, 0, 0)); (err == nil) != known {
			t.Errorf("push_vlan:%#x: %v, %v", tpid, a, err)
		}
	}
}

// TestHugeMatch: a switch cannot make us build a message that does not fit.
func TestHugeMatch(t *testing.T) {
	for _, size := range []int{maxMatch, maxMatch + 8, 60000} {
		match := make([]byte, size)
		be.PutUint16(match, 1)
		be.PutUint16(match[2:], uint16(size))
		stats, err := DecodeFlowStats(AppendFlowStat(nil, FlowStat{Match: match}))
		if (err == nil) != (size <= maxMatch) {
			t.Errorf("a match of %d bytes: %v", size, err)
		}
		for _, s := range stats {
			AppendBundleAdd(nil, 1, 0, DeleteFlowStrict(0, 0, s.Match))
		}
	}
}

func TestErrorWords(t *testing.T) {
	for _, test := range []struct {
		err  ErrorMsg
		want string
	}{
		{ErrorMsg{Type: 4, Code: 9}, "bad match: a field lacks its prerequisite (OFPBMC_BAD_PREREQ)"},
		{ErrorMsg{Type: 5, Code: 1}, "flow-mod failed: the table is full (OFPFMFC_TABLE_FULL)"},
		{ErrorMsg{Type: 4, Code: 99}, "bad match: code 99"},
		{ErrorMsg{Type: 99, Code: 1}, "error of type 99, code 1"},
		{ErrorMsg{Type: 0xffff, Code: 2302, Experimenter: onfExperimenter}, "bundle failed: no such bundle (ONFBFC_BAD_ID)"},
		{ErrorMsg{Type: 0xffff, Code: 15, Experimenter: niciraExperimenter}, "bad action: invalid conjunction (NXBAC_BAD_CONJUNCTION)"},
		{ErrorMsg{Type: 0xffff, Code: 1, Experimenter: 5}, "error 1 of experimenter 0x5"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
		test.err.Data = []byte("refused")
		m, err := ParseMessage(test.err.Message())
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeError(m)
		if err != nil || back.Error() != test.want || string(back.Data) != "refused" {
			t.Errorf("%+v comes back as %+v, %v", test.err, back, err)
		}
	}
	for _, et := range errorTypes {
		for _, c := range et.codes {
			if c.name == "" || c.text == "" || strings.ToUpper(c.name) != c.name {
				t.Errorf("%s: %+v", et.text, c)
			}
		}
	}
}

// TestSwitchSide checks what a simulated switch says against the decoders.
func TestSwitchSide(t *testing.T) {
	want := Features{DatapathID: 0xaa, Buffers: 1, Tables: 254, AuxiliaryID: 1, Capabilities: 0x4f}
	m, err := ParseMessage(want.Message())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeFeaturesReply(m); err != nil || got != want {
		t.Errorf("features %+v, %v", got, err)
	}
	parse := func(b []byte) Message {
		t.Helper()
		SetXID(b, 9)
		m, err := ParseMessage(b)
		if err != nil || m.Version != version13 || m.XID != 9 {
			t.Fatalf("%x: %+v, %v", b, m, err)
		}
		return m
	}
	if m := parse(BarrierReply()); m.Type != TypeBarrierReply || len(m.Body) != 0 {
		t.Errorf("barrier reply %+v", m)
	}
	if m := parse(EchoReply(make([]byte, 1<<17))); m.Type != TypeEchoReply || len(m.Body) != MaxMessage-headerLen {
		t.Errorf("echo reply of %d bytes", len(m.Body))
	}
	if role, id, err := DecodeRoleReply(parse(RoleReply(RoleSlave, 7))); err != nil || role != RoleSlave || id != 7 {
		t.Errorf("role reply %v %v %v", role, id, err)
	}
	if p, err := DecodeMultipart(parse(MultipartReply(MultipartFlow, true, []byte("body")))); err != nil || p.Type != MultipartFlow || !p.More || string(p.Body) != "body" {
		t.Errorf("multipart reply %+v, %v", p, err)
	}
	if b, ok := DecodeBundleControl(parse(BundleControl{1, BundleCommitReply, 2}.Message())); !ok || b != (BundleControl{1, BundleCommitReply, 2}) {
		t.Errorf("bundle reply %+v", b)
	}
	for _, e := range encodeSamples(t) {
		m, err := ParseMessage(e.Add)
		if err != nil {
			t.Fatal(err)
		}
		var stats []EntryStat
		switch e.ID.Kind {
		case EntryGroup:
			mod, derr := DecodeGroupMod(m)
			stats, err = DecodeGroupDescs(mod.AppendDesc(nil))
			if derr != nil || mod.ID != e.ID || mod.Sum != e.Sum {
				t.Errorf("%v: %+v, %v", e.ID, mod, derr)
			}
		case EntryMeter:
			mod, derr := DecodeMeterMod(m)
			stats, err = DecodeMeterConfigs(mod.AppendDesc(nil))
			if derr != nil || mod.ID != e.ID || mod.Sum != e.Sum {
				t.Errorf("%v: %+v, %v", e.ID, mod, derr)
			}
		default:
			continue // TestFlowRoundTrip
		}
		if err != nil || len(stats) != 1 || stats[0] != (EntryStat{e.ID, e.Sum}) {
			t.Errorf("%v: %+v, %v", e.ID, stats, err)
		}
	}
	for _, del := range [][]byte{DeleteFlow(3, 0x77), DeleteFlowStrict(3, 9, nil)} {
		m, err := ParseMessage(del)
		if err != nil {
			t.Fatal(err)
		}
		mod, err := DecodeFlowMod(m)
		if err != nil || mod.ID.Table != 3 || (mod.Command == FlowDelete) != (mod.CookieMask == ^uint64(0)) {
			t.Errorf("delete: %+v, %v", mod, err)
		}
	}
}
