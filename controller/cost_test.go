package controller

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The cost of one more endpoint does not depend on how many there are: the same
// fragments are compiled, and the same number of bytes goes to each host. Hosts
// without interest get nothing.
func TestCostOfOneEndpointIsFlat(t *testing.T) {
	type cost struct{ fragments, toOther, toOwn, toStranger int }
	measure := func(size int) cost {
		w := newWorld(t)
		n, foreign := aNetwork("acme", "blue", 100), aNetwork("globex", "red", 200)
		w.put(aHost(1), aHost(2), aHost(3), n, foreign, anEndpoint(foreign, 1))
		var events []store.Event
		ids := map[string][]string{}
		for i := 1; i <= size; i++ {
			e := anEndpoint(n, i)
			events = append(events, store.Event{After: e})
			h := fmt.Sprintf("h%d", 1+i%2)
			ids[h] = append(ids[h], e.Allocated.InterfaceID)
		}
		w.turn(events...)
		w.ports("h1", ids["h1"]...)
		w.ports("h2", ids["h2"]...)
		w.ports("h3", "globex/red-1")
		w.ackAll()

		more := anEndpoint(n, size+1)
		before := w.bytesInFeeds()
		compiled := testutil.ToFloat64(w.metrics.fragments)
		w.put(more)
		w.ports("h1", append(ids["h1"], more.Allocated.InterfaceID)...)
		after := w.bytesInFeeds()
		return cost{
			fragments:  int(testutil.ToFloat64(w.metrics.fragments) - compiled),
			toOwn:      after["h1"] - before["h1"],
			toOther:    after["h2"] - before["h2"],
			toStranger: after["h3"] - before["h3"],
		}
	}
	small := measure(10)
	for _, size := range []int{1000, 3000} {
		if got := measure(size); got != small {
			t.Errorf("with %d endpoints one more costs %+v, with 10 it costs %+v", size, got, small)
		}
	}
	if small.toStranger != 0 {
		t.Errorf("a host without interest got %d bytes", small.toStranger)
	}
	if small.toOther == 0 || small.fragments == 0 {
		t.Errorf("nothing was sent at all: %+v", small)
	}
}

// bytesInFeeds is the size of each host's plan.
func (w *world) bytesInFeeds() map[string]int {
	sizes := map[string]int{}
	for name, h := range w.model.hosts {
		for _, f := range w.sw.plans[h.spec.Allocated.DatapathID] {
			for _, e := range f.Entries() {
				sizes[name] += len(e.Add)
			}
		}
	}
	return sizes
}

func TestARouterJoinsAndSeparates(t *testing.T) {
	w := newWorld(t)
	green := aNetwork("acme", "green", 101)
	e3 := anEndpoint(green, 3)
	w.put(aHost(1), aHost(2), blueNet, green, ep1, e3)
	w.ports("h1", ep1.Allocated.InterfaceID)
	w.ports("h2", e3.Allocated.InterfaceID)
	w.ackAll()
	apart := w.contents("h1")
	r := aRouter("acme", "core", 1, "blue", "green")
	w.put(r)
	w.ackAll()
	if joined := w.contents("h1"); len(joined) <= len(apart) {
		t.Fatal("h1 did not hear of the other network")
	}
	w.remove(r.Key())
	// Its removal has to be acknowledged by the hosts that had it.
	if _, there := w.model.removed[r.Key()]; !there {
		t.Error("the router is forgotten before its flows are gone")
	}
	w.ackAll()
	w.ackAll()
	if _, there := w.model.removed[r.Key()]; there {
		t.Error("the router is still remembered")
	}
	if again := w.contents("h1"); fmt.Sprint(again) != fmt.Sprint(apart) {
		t.Errorf("h1 has %v, had %v", again, apart)
	}
}

// A router that gets a static route is compiled again, and nothing that goes by it.
func TestCostOfARouteIsFlat(t *testing.T) {
	measure := func(floats int) float64 {
		w := edgeWorld(t)
		ids := []string{ep1.Allocated.InterfaceID}
		for i := range floats {
			e := anEndpoint(blueNet, 10+i)
			w.put(e, aFloat(fmt.Sprint(i), byte(10+i), e.Key()))
			ids = append(ids, e.Allocated.InterfaceID)
		}
		w.ports("h3", ids...)
		w.ackAll()
		before := testutil.ToFloat64(w.metrics.fragments)
		r := withExit(aRouter("acme", "core", 1, "blue"))
		r.Spec.StaticRoutes = []topology.StaticRoute{{Destination: netip.MustParsePrefix("172.16.0.0/12"), NextHop: ep1.Allocated.Addresses[0]}}
		w.put(r)
		return testutil.ToFloat64(w.metrics.fragments) - before
	}
	if few, many := measure(1), measure(50); few != many || few == 0 {
		t.Errorf("%v fragments with one floating IP, %v with 50", few, many)
	}
}
