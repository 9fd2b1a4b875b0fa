package ofctrl

import (
	"fmt"
	"maps"
	"testing"

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
