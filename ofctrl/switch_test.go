package ofctrl

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// fill sets owners 0…n-1 of a feed to two flows each.
func fill(tb testing.TB, f *Feed, n int) {
	for i := range n {
		source := fmt.Sprintf("%s/%d", f.Name(), i)
		f.Set(source, seal(tb, source, flow(10, i, 20), flow(20, i, 0)))
	}
}

func TestProgramsASwitch(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	a, b := NewFeed("a"), NewFeed("b")
	fill(t, a, 3000) // more than one bundle
	r.srv.SetPlan(dpid1, "h1", []*Feed{a, b})
	h := bridge(t, r.addr)
	r.untilAcked(dpid1, a, b)
	if n := countFlows(h); n != 6000 {
		t.Fatalf("%d flows, want 6000", n)
	}
	t.Run("a change", func(t *testing.T) {
		before := r.srv.Stats(dpid1)
		b.Set("new", seal(t, "new", flow(30, 1, 0)))
		b.Set("new", seal(t, "new", flow(30, 1, 40)))
		a.Set("a/7", nil)
		r.untilAcked(dpid1, a, b)
		got := dump(h)
		if n := strings.Count(got, "cookie="); n != 5999 || !strings.Contains(got, "table=30, priority=100,metadata=0x1 actions=goto_table:40") {
			t.Errorf("%d flows, want 5999 with the last one:\n%s", n, got[max(0, len(got)-300):])
		}
		if st := r.srv.Stats(dpid1); st.FlowMods-before.FlowMods > 5 {
			t.Errorf("%d flow-mods sent for three changes of one flow each", st.FlowMods-before.FlowMods)
		}
	})
	t.Run("plans", func(t *testing.T) {
		c := NewFeed("c")
		c.Set("c", seal(t, "c", flow(50, 1, 0)))
		r.srv.SetPlan(dpid1, "h1", []*Feed{b, c})
		r.untilAcked(dpid1, b, c)
		if _, ok := r.srv.Acked(dpid1, a); ok {
			t.Error("a feed that is not followed is acknowledged")
		}
		if n := countFlows(h); n != 2 {
			t.Errorf("%d flows, want 2", n)
		}
	})
	if r.count("drift")+r.count("refused")+r.count("rejected") > 0 {
		t.Errorf("events:\n%s", r.all())
	}
}

// ages are the flows' durations in seconds by cookie.
var ages = regexp.MustCompile(`cookie=(0x[0-9a-f]+), duration=([0-9.]+)s`)

func TestTouchesNothingThatHolds(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	addr := r.addr
	f := NewFeed("f")
	fill(t, f, 100)
	groups := func(f *Feed) {
		g, err := openflow.EncodeGroup(openflow.Group{ID: 7, Type: openflow.GroupSelect, Buckets: []openflow.Bucket{{Weight: 1, Actions: []openflow.Action{openflow.Output{Port: 1}}}}})
		if err != nil {
			t.Fatal(err)
		}
		m, err := openflow.EncodeMeter(openflow.Meter{ID: 3, Rate: 100, Burst: 10})
		if err != nil {
			t.Fatal(err)
		}
		use := flow(60, 1, 0)
		use.Meter, use.Actions = 3, []openflow.Action{openflow.ToGroup{ID: 7}}
		f.Set("g", append(seal(t, "g", use), g, m))
	}
	groups(f)
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	h := bridge(t, addr)
	r.untilAcked(dpid1, f)
	if n := countFlows(h); n != 201 {
		t.Fatalf("%d flows, want 201", n)
	}
	before := ages.FindAllStringSubmatch(h.Ofctl("-O", "OpenFlow13", "dump-flows", "br0"), -1)
	sent := r.srv.Stats(dpid1).FlowMods
	if sent != 203 {
		t.Errorf("%d flow-mods at first", sent)
	}

	// Not del-controller, after which Open vSwitch flushes its flows.
	r.srv.session(dpid1).end(errors.New("cut by the test"))
	r.untilEvent(t, "disconnected")
	r.untilAcked(dpid1, f)
	if got := r.srv.Stats(dpid1); got.FlowMods != sent || got.Sessions != 2 {
		t.Errorf("after a reconnect: %+v, want %d flow-mods", got, sent)
	}

	r.stop()
	r2 := serve(t, addr)
	f2 := NewFeed("f")
	fill(t, f2, 100)
	groups(f2)
	r2.srv.SetPlan(dpid1, "h1", []*Feed{f2})
	r2.untilAcked(dpid1, f2)
	if got := r2.srv.Stats(dpid1); got.FlowMods != 0 {
		t.Errorf("a new server sent %d flow-mods", got.FlowMods)
	}
	after := ages.FindAllStringSubmatch(h.Ofctl("-O", "OpenFlow13", "dump-flows", "br0"), -1)
	if len(after) != len(before) {
		t.Fatalf("%d flows, want %d", len(after), len(before))
	}
	old := map[string]float64{}
	for _, m := range before {
		old[m[1]] = number(m[2])
	}
	for _, m := range after {
		if was, ok := old[m[1]]; !ok || number(m[2]) < was {
			t.Errorf("flow %s: duration %s, was %v", m[1], m[2], was)
		}
	}
}

func number(s string) float64 {
	var v float64
	_, _ = fmt.Sscan(s, &v)
	return v
}

func TestRepairsForeignChanges(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	f := NewFeed("f")
	fill(t, f, 50)
	group := func(port uint32) openflow.Entry {
		g, err := openflow.EncodeGroup(openflow.Group{ID: 7, Buckets: []openflow.Bucket{{Actions: []openflow.Action{openflow.Output{Port: port}}}}})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	use := flow(60, 1, 0)
	use.Actions = []openflow.Action{openflow.ToGroup{ID: 7}}
	f.Set("g", append(seal(t, "g", use), group(1)))
	f.Set("g", append(seal(t, "g", use), group(2))) // modified
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	h := bridge(t, r.addr)
	r.untilAcked(dpid1, f)
	want := dump(h)
	wantGroups := h.Ofctl("-O", "OpenFlow13", "dump-groups", "br0")
	cookie := fmt.Sprintf("%#x", seal(t, "f/3", flow(10, 3, 20))[0].ID.Cookie)
	for _, c := range []struct {
		name  string
		args  []string
		drift map[DriftKind]int
	}{
		{"all flows deleted", []string{"del-flows", "br0"}, map[DriftKind]int{DriftMissing: 101}},
		{"an action changed", []string{"mod-flows", "br0", "table=10,metadata=3,actions=drop"}, map[DriftKind]int{DriftChanged: 1}},
		{"foreign flow", []string{"add-flow", "br0", "table=5,priority=7,actions=drop"}, map[DriftKind]int{DriftForeign: 1}},
		{"foreign flow in place of ours", []string{"add-flow", "br0", "table=10,priority=100,cookie=5,metadata=3,actions=drop"}, map[DriftKind]int{DriftForeign: 1, DriftMissing: 1}},
		{"foreign flow with our cookie", []string{"add-flow", "br0", "table=10,priority=100,metadata=4000,cookie=" + cookie + ",actions=drop"}, map[DriftKind]int{DriftForeign: 1}},
		{"foreign flow with our cookie and a priority of its own", []string{"add-flow", "br0", "table=10,priority=9,metadata=4000,cookie=" + cookie + ",actions=drop"}, map[DriftKind]int{DriftForeign: 1}},
		{"group deleted", []string{"del-groups", "br0", "group_id=7"}, map[DriftKind]int{DriftMissing: 2}},
		{"our timeout", []string{"add-flow", "br0", "table=10,priority=100,hard_timeout=1000,metadata=3,cookie=" + cookie + ",actions=goto_table:20"}, map[DriftKind]int{DriftChanged: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.mu.Lock()
			r.drift = nil
			r.mu.Unlock()
			h.Ofctl(append([]string{"-O", "OpenFlow13"}, c.args...)...)
			r.until(t, "the repair", func() bool {
				return dump(h) == want && h.Ofctl("-O", "OpenFlow13", "dump-groups", "br0") == wantGroups
			})
			got := map[DriftKind]int{}
			r.mu.Lock()
			for _, d := range r.drift {
				got[d.Kind]++
				if (d.Kind == DriftForeign) != (d.Owner == "") {
					t.Errorf("%+v", d)
				}
			}
			r.mu.Unlock()
			if fmt.Sprint(got) != fmt.Sprint(c.drift) {
				t.Errorf("drift %v, want %v", got, c.drift)
			}
		})
	}
}

func TestAuditRepairsGroupsAndMeters(t *testing.T) {
	r := serve(t, "127.0.0.1:0", func(c *Config) { c.AuditInterval = 50 * time.Millisecond })
	f := NewFeed("f")
	m, err := openflow.EncodeMeter(openflow.Meter{ID: 3, Rate: 100, Burst: 10})
	if err != nil {
		t.Fatal(err)
	}
	g, err := openflow.EncodeGroup(openflow.Group{ID: 7})
	if err != nil {
		t.Fatal(err)
	}
	f.Set("m", []openflow.Entry{m, g})
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	h := bridge(t, r.addr)
	r.untilAcked(dpid1, f)
	state := func() string {
		return h.Ofctl("-O", "OpenFlow13", "dump-meters", "br0") + h.Ofctl("-O", "OpenFlow13", "dump-groups", "br0")
	}
	want := regexp.MustCompile(`xid=\S+`).ReplaceAllString(state(), "")
	for _, args := range [][]string{
		{"mod-meter", "br0", "meter=3,kbps,band=type=drop,rate=5"},
		{"del-meters", "br0"},
		{"add-meter", "br0", "meter=4,kbps,band=type=drop,rate=5"},
		{"mod-group", "br0", "group_id=7,type=all,bucket=output:4"},
		{"del-groups", "br0"},
		{"add-group", "br0", "group_id=8,type=all,bucket=output:4"},
	} {
		r.mu.Lock()
		r.drift = nil
		r.mu.Unlock()
		h.Ofctl(append([]string{"-O", "OpenFlow13"}, args...)...)
		r.until(t, "the repair of "+args[0], func() bool {
			r.mu.Lock()
			seen := len(r.drift)
			r.mu.Unlock()
			return seen == 1 && regexp.MustCompile(`xid=\S+`).ReplaceAllString(state(), "") == want
		})
	}
}

func TestTracesRefusals(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	f := NewFeed("f")
	bad := flow(61, 1, 0)
	bad.Actions = []openflow.Action{openflow.ToGroup{ID: 99}} // there is none
	fill(t, f, 100)                                           // in a bundle with the bad one
	f.Set("bad", seal(t, "bad", bad))
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	h := bridge(t, r.addr)
	r.untilAcked(dpid1, f)
	if r.count("refused f bad") != 1 || r.count("refused") != 1 {
		t.Errorf("events:\n%s", r.all())
	}
	if n := countFlows(h); n != 200 {
		t.Errorf("%d flows, want 200", n)
	}
	// Alone, as a plain message, and put right.
	f.Set("bad2", seal(t, "bad2", bad))
	r.untilAcked(dpid1, f)
	if r.count("refused f bad2") != 1 {
		t.Errorf("events:\n%s", r.all())
	}
	f.Set("bad", seal(t, "bad", flow(61, 1, 0)))
	f.Set("bad2", nil)
	r.untilAcked(dpid1, f)
	if n := countFlows(h); n != 201 || r.count("refused") != 2 {
		t.Errorf("%d flows, want 201; events:\n%s", n, r.all())
	}
}

func TestSwitchRestarts(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	f := NewFeed("f")
	fill(t, f, 100)
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	h := bridge(t, r.addr)
	r.untilAcked(dpid1, f)
	want := dump(h)
	h.StopSwitch()
	r.untilEvent(t, "disconnected")
	if _, ok := r.srv.Acked(dpid1, f); ok {
		t.Error("a switch that is away has acknowledged")
	}
	f.Set("while away", seal(t, "while away", flow(70, 1, 0)))
	f.Set("f/1", nil)
	h.StartSwitch()
	r.untilAcked(dpid1, f)
	if n := countFlows(h); n != 199 || n != strings.Count(want, "cookie=")-1 {
		t.Errorf("%d flows, want 199", n)
	}
	if n := r.count("drift"); n != 0 {
		t.Errorf("a restart was reported as %d pieces of drift", n)
	}
}

func TestDuplicateDatapathID(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	f := NewFeed("f")
	fill(t, f, 1)
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	h := bridge(t, r.addr)
	r.untilAcked(dpid1, f)
	bridge(t, r.addr)
	r.untilEvent(t, "rejected")
	if !strings.Contains(r.all(), ErrDuplicate.Error()) || r.count("disconnected") > 0 {
		t.Errorf("events:\n%s", r.all())
	}
	f.Set("more", seal(t, "more", flow(70, 1, 0)))
	r.untilAcked(dpid1, f)
	if n := countFlows(h); n != 3 {
		t.Errorf("%d flows, want 3", n)
	}
	r.srv.Forget(dpid1)
	r.untilEvent(t, "disconnected")
	if n := countFlows(h); n != 3 {
		t.Errorf("%d flows after Forget, want 3", n)
	}
}

func TestPackets(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	f := NewFeed("f")
	f.Set("in", seal(t, "in", openflow.Flow{Priority: 1, Actions: []openflow.Action{openflow.ToController{MaxLen: 0xffff}}}))
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	if err := r.srv.PacketOut(dpid1, openflow.PortController, nil, nil); err == nil {
		t.Error("packet-out to a switch that is away succeeded")
	}
	bridge(t, r.addr)
	r.untilAcked(dpid1, f)
	frame := make([]byte, 64)
	frame[12], frame[13], frame[20] = 0x88, 0xb5, 0xab
	// Not PortController as the in_port of a resubmit to table 0 by OFPP_TABLE.
	if err := r.srv.PacketOut(dpid1, openflow.PortLocal, []openflow.Action{openflow.Output{Port: 0xfffffff9}}, frame); err != nil {
		t.Fatal(err)
	}
	r.untilEvent(t, fmt.Sprintf("packet %x", frame))
}

// TestGenerations: a controller with an older generation id is refused, and one
// that was replaced notices when it writes.
func TestGenerations(t *testing.T) {
	generation := func(id uint64) func(*Config) { return func(c *Config) { c.GenerationID = id } }
	r1 := serve(t, "127.0.0.1:0", generation(5))
	r2 := serve(t, "127.0.0.1:0", generation(6))
	f := NewFeed("f")
	fill(t, f, 1)
	r1.srv.SetPlan(dpid1, "h1", []*Feed{f})
	h := bridge(t, r1.addr)
	r1.untilAcked(dpid1, f)
	r2.srv.SetPlan(dpid1, "h1", []*Feed{f})
	h.Vsctl("set-controller", "br0", "tcp:"+r1.addr, "tcp:"+r2.addr)
	r2.untilAcked(dpid1, f)
	f.Set("more", seal(t, "more", flow(10, 5, 0)))
	r2.untilAcked(dpid1, f)
	r1.untilEvent(t, "disconnected 17: "+ErrNotMaster.Error())
	r1.untilEvent(t, "rejected")
	if !strings.Contains(r1.all(), "stale") {
		t.Errorf("events:\n%s", r1.all())
	}
}

// TestComparesOnlyWithCause: our own changes, however many, are not taken for
// those of somebody else.
func TestComparesOnlyWithCause(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	f := NewFeed("f")
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	bridge(t, r.addr)
	r.untilAcked(dpid1, f)
	for i := range 200 {
		fill(t, f, i)
	}
	r.untilAcked(dpid1, f)
	if st := r.srv.Stats(dpid1); st.Compares != 1 || st.Repairs != 0 {
		t.Errorf("%+v, want one comparison", st)
	}
}
