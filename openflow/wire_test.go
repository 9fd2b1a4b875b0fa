package openflow

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	testGroups = []struct {
		group Group
		text  string
	}{
		{Group{ID: 7, Type: GroupAll, Buckets: []Bucket{{Actions: []Action{Output{1}}}, {Actions: []Action{SetField{Reg0.Uint(1)}, Resubmit{30}}}}},
			"group_id=7,type=all,bucket=actions=output:1,bucket=actions=set_field:0x1->reg0,resubmit(,30)"},
		{Group{ID: 8, Type: GroupSelect, Buckets: []Bucket{{Weight: 50, Actions: []Action{Output{1}}}, {Weight: 1, Actions: []Action{Output{2}}}}},
			"group_id=8,type=select,bucket=weight:50,actions=output:1,bucket=actions=output:2"},
		{Group{ID: 9, Type: GroupFastFailover, Buckets: []Bucket{{WatchPort: 1, Actions: []Action{Output{1}}}, {WatchPort: 2, Actions: []Action{Output{2}}}}},
			"group_id=9,type=ff,bucket=watch_port:1,actions=output:1,bucket=watch_port:2,actions=output:2"},
		{Group{ID: 10, Type: GroupIndirect, Buckets: []Bucket{{}}}, "group_id=10,type=indirect,bucket=actions=drop"},
		{Group{ID: 11}, "group_id=11,type=all"},
		{Group{ID: 12, Type: GroupFastFailover, Buckets: []Bucket{{WatchPort: 1, Actions: []Action{Move{Src: Reg0, Dst: TunID, NBits: 24}, SetField{TunIPv4Dst.Addr(ip("192.0.2.9"))}, Output{1}}},
			{WatchPort: 65279}, {WatchPort: 2, Actions: []Action{Resubmit{30}}}}},
			"group_id=12,type=ff,bucket=watch_port:1,actions=move:NXM_NX_REG0[0..23]->NXM_NX_TUN_ID[0..23],set_field:192.0.2.9->tun_dst,output:1,bucket=watch_port:65279,actions=drop,bucket=watch_port:2,actions=resubmit(,30)"},
		{Group{ID: 13, Type: GroupSelect, Buckets: []Bucket{{Weight: 50, WatchPort: 1, Actions: []Action{CT{Commit: true, Table: 31, ZoneField: Reg0, NAT: NAT{Kind: NATDest, Min: ip("10.0.0.1"), PortMin: 80}, Mark: CTMark.Uint(1)}}},
			{Weight: 1, WatchPort: 2, Actions: []Action{CT{Commit: true, NAT: NAT{Kind: NATDest, Min: ip("2001:db8::1")}}}}, {WatchPort: 2}}},
			"group_id=13,type=select,bucket=weight:50,watch_port:1,actions=ct(commit,table=31,zone=NXM_NX_REG0[0..15],nat(dst=10.0.0.1:80),exec(set_field:0x1->ct_mark))," +
				"bucket=watch_port:2,actions=ct(commit,nat(dst=2001:db8::1)),bucket=weight:0,watch_port:2,actions=drop"},
		{Group{ID: 14, Type: GroupSelect, Buckets: []Bucket{{Weight: 1, Actions: []Action{PopVLAN{}, PushVLAN{}, DecTTL{}, SetField{VLANVID.Uint(0x1005)}, Load{0, InPort, 0, 32}, ToGroup{7}}},
			{Weight: 1, Actions: []Action{ToController{65535}}}}},
			"group_id=14,type=select,bucket=actions=pop_vlan,push_vlan:0x8100,dec_ttl,set_field:4101->vlan_vid,load:0->OXM_OF_IN_PORT[],group:7,bucket=actions=CONTROLLER:65535"},
	}
	testMeters = []struct {
		meter Meter
		text  string
	}{
		{Meter{ID: 1, Rate: 100}, "meter=1,pktps,band=type=drop,rate=100"},
		{Meter{ID: 2, Rate: 100, Burst: 10}, "meter=2,pktps,burst,band=type=drop,rate=100,burst_size=10"},
		{Meter{ID: 3, Rate: 5000, KBPS: true}, "meter=3,kbps,band=type=drop,rate=5000"},
	}
)

func encodeSamples(t testing.TB) []Entry {
	var entries []Entry
	for _, g := range testGroups {
		e, err := EncodeGroup(g.group)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	for _, m := range testMeters {
		e, err := EncodeMeter(m.meter)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	for _, s := range samples {
		e, err := Encode(s.flow)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// sums is what entries should look like in a switch's answers.
func sums(entries []Entry) map[ID]uint64 {
	m := make(map[ID]uint64)
	for _, e := range entries {
		m[e.ID] = e.Sum
	}
	return m
}

// reported is what a switch says that it has.
func (c *client) reported() map[ID]uint64 {
	c.t.Helper()
	m := make(map[ID]uint64)
	for _, s := range c.flows() {
		m[s.ID] = s.Sum
	}
	for _, body := range c.multipart(GroupDescRequest()) {
		stats, err := DecodeGroupDescs(body)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, s := range stats {
			m[s.ID] = s.Sum
		}
	}
	for _, body := range c.multipart(MeterConfigRequest()) {
		stats, err := DecodeMeterConfigs(body)
		if err != nil {
			c.t.Fatal(err)
		}
		for _, s := range stats {
			m[s.ID] = s.Sum
		}
	}
	return m
}

// TestWireForm sends every sample to a real switch, plainly and in a bundle, and
// expects the same bytes back and the same text from ovs-ofctl.
func TestWireForm(t *testing.T) {
	v := startOVS(t)
	entries := encodeSamples(t)
	send := map[string]func(c *client){
		"plain": func(c *client) {
			for _, e := range entries {
				for _, m := range c.do(e.Add) {
					t.Errorf("%v: %v", e.ID, c.errorOf(m))
				}
			}
		},
		"bundle": func(c *client) {
			// Open vSwitch 3.1 takes no meter-mod in a bundle.
			msgs := [][]byte{BundleOpen(1, BundleOrdered)}
			for _, e := range entries {
				if e.ID.Kind == EntryMeter {
					c.must(e.Add)
					continue
				}
				msgs = append(msgs, AppendBundleAdd(nil, 1, BundleOrdered, e.Add))
			}
			c.must(append(msgs, BundleCommit(1, BundleOrdered))...)
			for range 2 {
				if b, ok := DecodeBundleControl(c.await(TypeExperimenter)); !ok || b.ID != 1 {
					t.Errorf("not a reply for the bundle: %+v", b)
				}
			}
		},
	}
	for name, f := range send {
		t.Run(name, func(t *testing.T) {
			c := v.connect()
			f(c)
			if diff := cmp.Diff(sums(entries), c.reported()); diff != "" {
				t.Errorf("the switch reports something else (-sent +reported):\n%s", diff)
			}
			compareDump(t, v)
			checkDecoded(t, c)
			v.compareGroupsAndMeters()
			for _, e := range entries { // flows last: they refer to groups
				c.must(Delete(e.ID))
			}
			if left := c.reported(); len(left) > 0 {
				t.Errorf("after deletion the switch still has %v", left)
			}
		})
	}
}

// checkDecoded decodes what the switch has and expects the text of the samples.
func checkDecoded(t *testing.T, c *client) {
	t.Helper()
	var got, want []string
	for _, s := range c.flows() {
		f, err := DecodeFlow(s.ID, s.Match, s.Instructions)
		if err != nil {
			t.Errorf("%v: %v", s.ID, err)
		}
		got = append(got, f.String())
	}
	for _, s := range samples {
		want = append(want, s.text)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded flows differ (-want +got):\n%s", diff)
	}
	var groups []string
	for _, body := range c.multipart(GroupDescRequest()) {
		decoded, err := DecodeGroups(body)
		if err != nil {
			t.Error(err)
		}
		for _, g := range decoded {
			groups = append(groups, g.String())
		}
	}
	slices.Sort(groups)
	if diff := cmp.Diff(groupTexts(), groups); diff != "" {
		t.Errorf("decoded groups differ (-want +got):\n%s", diff)
	}
}

func groupTexts() []string {
	var texts []string
	for _, g := range testGroups {
		texts = append(texts, g.text)
	}
	slices.Sort(texts)
	return texts
}

// compareGroupsAndMeters compares what ovs-ofctl shows with String.
func (v *vswitch) compareGroupsAndMeters() {
	v.t.Helper()
	var groups []string
	for line := range strings.Lines(v.ofctl("--no-names", "dump-groups", "br0")) {
		if strings.HasPrefix(line, " ") {
			groups = append(groups, strings.TrimSpace(line))
		}
	}
	slices.Sort(groups)
	if diff := cmp.Diff(groupTexts(), groups); diff != "" {
		v.t.Errorf("groups differ (-ours +ovs-ofctl's):\n%s", diff)
	}
	// dump-meters shows "meter=1 pktps bands=" and on the next line "type=drop rate=100".
	_, dump, _ := strings.Cut(v.ofctl("dump-meters", "br0"), "\n")
	var meters []string
	for _, m := range strings.Split(strings.TrimSpace(dump), "\n\n") {
		m = strings.ReplaceAll(m, " bands=\n", ",band=")
		meters = append(meters, strings.ReplaceAll(strings.TrimSpace(m), " ", ","))
	}
	slices.Sort(meters)
	var want []string
	for _, m := range testMeters {
		want = append(want, m.text)
	}
	if diff := cmp.Diff(want, meters); diff != "" {
		v.t.Errorf("meters differ (-ours +ovs-ofctl's):\n%s", diff)
	}
}

// TestGroupAndMeterText has ovs-ofctl read the text of groups and meters.
func TestGroupAndMeterText(t *testing.T) {
	v := startOVS(t)
	for _, g := range testGroups {
		if got := g.group.String(); got != g.text {
			t.Errorf("got  %s\nwant %s", got, g.text)
		}
		v.ofctl("add-group", "br0", g.text)
	}
	for _, m := range testMeters {
		if got := m.meter.String(); got != m.text {
			t.Errorf("got  %s\nwant %s", got, m.text)
		}
		v.ofctl("add-meter", "br0", m.text)
	}
	v.compareGroupsAndMeters()
	var entries []Entry
	for _, e := range encodeSamples(t) {
		if e.ID.Kind != EntryFlow {
			entries = append(entries, e)
		}
	}
	if diff := cmp.Diff(sums(entries), v.connect().reported()); diff != "" {
		t.Errorf("the switch reports something else (-ours +reported):\n%s", diff)
	}
}
