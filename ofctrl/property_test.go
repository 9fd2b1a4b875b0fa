package ofctrl

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// drawEntries are some entries of an owner: flows whose match is the owner's own,
// and sometimes a group or a meter.
func drawEntries(t *rapid.T, feed, owner int) []openflow.Entry {
	source := fmt.Sprintf("%d/%d", feed, owner)
	var flows []openflow.Flow
	for n := range rapid.IntRange(0, 4).Draw(t, "flows") {
		flows = append(flows, flow(uint8(10+n), feed*100+owner, uint8(rapid.IntRange(200, 202).Draw(t, "goto"))))
	}
	entries, err := openflow.Seal(source, flows)
	if err != nil {
		t.Fatal(err)
	}
	number := uint32(feed*100 + owner + 1)
	if port := rapid.Uint32Range(0, 2).Draw(t, "group"); port > 0 {
		g, err := openflow.EncodeGroup(openflow.Group{ID: number, Buckets: []openflow.Bucket{{Actions: []openflow.Action{openflow.Output{Port: port}}}}})
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, g)
	}
	if burst := rapid.Uint32Range(0, 2).Draw(t, "meter"); burst > 0 {
		m, err := openflow.EncodeMeter(openflow.Meter{ID: number, Rate: 10, Burst: burst})
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, m)
	}
	return entries
}

// TestSwitchEqualsItsFeeds: whatever happens in whatever order, in the end the
// switch has the union of the feeds of its plan, but for what it refuses. On the way there is no add
// after a delete within a batch.
func TestSwitchEqualsItsFeeds(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	dpid := uint64(100)
	rapid.Check(t, func(rt *rapid.T) {
		dpid++
		sw := newFakeSwitch(dpid)
		refuses := rapid.Bool().Draw(rt, "refuses")
		sw.surprises = refuses
		sw.refuse = func(id openflow.ID) bool { return refuses && id.Kind == openflow.EntryFlow && id.Cookie%7 == 0 }
		var feeds []*Feed
		for i := range 3 {
			feeds = append(feeds, NewFeed(fmt.Sprint(i)))
		}
		plan := feeds[:1]
		r.srv.SetPlan(dpid, "fake", plan)
		defer sw.run(r.addr)()
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"set", "set", "set", "set", "plan", "cut", "wait"}).Draw(rt, "step") {
			case "set":
				f, o := rapid.IntRange(0, 2).Draw(rt, "feed"), rapid.IntRange(0, 5).Draw(rt, "owner")
				feeds[f].Set(fmt.Sprint(o), drawEntries(rt, f, o))
			case "plan":
				plan = nil
				for _, f := range feeds {
					if rapid.Bool().Draw(rt, "follow") {
						plan = append(plan, f)
					}
				}
				r.srv.SetPlan(dpid, "fake", plan)
			case "cut":
				sw.cut()
			case "wait":
				r.untilAcked(dpid, plan...)
			}
		}
		want := map[openflow.ID]uint64{}
		for _, f := range plan {
			for _, e := range f.Entries() {
				if !sw.refuse(e.ID) {
					want[e.ID] = e.Sum
				}
			}
		}
		r.untilAcked(dpid, plan...)
		r.until(rt, "the union of the feeds", func() bool { return maps.Equal(sw.state(), want) })
		sw.mu.Lock()
		defer sw.mu.Unlock()
		if len(sw.problems) > 0 {
			rt.Fatalf("%q", sw.problems)
		}
	})
	if r.count("drift") > 0 {
		t.Errorf("events:\n%s", r.all())
	}
}

// TestForeignChangesAreUndone: somebody else changes the switch at any time,
// among changes of ours, and still the switch has the union of its feeds in the
// end. Nothing but audits and polling tells the server.
func TestForeignChangesAreUndone(t *testing.T) {
	r := serve(t, "127.0.0.1:0", func(c *Config) {
		c.AuditInterval = 5 * time.Millisecond
		c.Log = zerolog.Nop()
	})
	dpid := uint64(100)
	rapid.Check(t, func(rt *rapid.T) {
		dpid++
		defer r.srv.Forget(dpid)
		sw := newFakeSwitch(dpid)
		feeds := []*Feed{NewFeed("0"), NewFeed("1")}
		r.srv.SetPlan(dpid, "fake", feeds)
		defer sw.run(r.addr)()
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"set", "set", "foreign", "foreign", "cut", "wait"}).Draw(rt, "step") {
			case "set":
				f, o := rapid.IntRange(0, 1).Draw(rt, "feed"), rapid.IntRange(0, 5).Draw(rt, "owner")
				feeds[f].Set(fmt.Sprint(o), drawEntries(rt, f, o))
			case "foreign":
				sw.meddle(rt)
			case "cut":
				sw.cut()
			case "wait":
				r.untilAcked(dpid, feeds...)
			}
		}
		want := map[openflow.ID]uint64{}
		for _, f := range feeds {
			for _, e := range f.Entries() {
				want[e.ID] = e.Sum
			}
		}
		r.untilAcked(dpid, feeds...)
		r.until(rt, "the union of the feeds", func() bool { return maps.Equal(sw.state(), want) && len(sw.flowIDs()) == sw.count() })
	})
}

// meddle changes the switch as somebody else might.
func (f *fakeSwitch) meddle(t *rapid.T) {
	what := rapid.SampledFrom([]string{"delete", "change", "cookie", "clear", "add", "group"}).Draw(t, "what")
	at := rapid.IntRange(0, 3).Draw(t, "at")
	f.mu.Lock()
	defer f.mu.Unlock()
	keys := slices.Sorted(maps.Keys(f.flows))
	if what != "add" && len(keys) <= at {
		return
	}
	switch what {
	case "delete":
		delete(f.flows, keys[at])
	case "change": // it drops
		m := f.flows[keys[at]]
		m.Instructions, m.Sum = nil, 1
		f.flows[keys[at]] = m
	case "cookie": // the same cookie, and another match
		m := f.flows[keys[at]]
		m.Match, m.Sum = []byte{0, 1, 0, 4, 0, 0, 0, 0}, 1
		f.flows[fmt.Sprint(m.ID.Table, m.ID.Priority, m.Match)] = m
	case "clear":
		clear(f.flows)
	case "add":
		m := openflow.FlowMod{ID: openflow.ID{Table: uint8(at), Priority: 9, Cookie: 7}, Match: []byte{0, 1, 0, 4, 0, 0, 0, 0}, Sum: 1}
		f.flows[fmt.Sprint(m.ID.Table, m.ID.Priority, m.Match)] = m
	case "group":
		clear(f.others)
	}
}

func (f *fakeSwitch) flowIDs() map[openflow.ID]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := map[openflow.ID]bool{}
	for _, m := range f.flows {
		ids[m.ID] = true
	}
	return ids
}

func (f *fakeSwitch) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.flows)
}
