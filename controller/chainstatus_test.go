package controller

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/topology"
)

var (
	fwKey    = topology.Key{Kind: topology.KindServiceFunction, Tenant: "acme", Name: "fw"}
	chainKey = topology.Key{Kind: topology.KindChain, Tenant: "acme", Name: "guarded"}
)

// aFirewall has two instances: svc-1 with svc-2 as its other port, and svc-3 with one
// port.
func aFirewall() *topology.ServiceFunction {
	return &topology.ServiceFunction{
		Metadata: topology.Metadata{Tenant: "acme", Name: "fw"},
		Spec: topology.ServiceFunctionSpec{Type: topology.FunctionRouted,
			Instances: []topology.Instance{{In: "svc-1", Out: "svc-2"}, {In: "svc-3", Drain: true}}},
		Allocated: topology.ServiceFunctionAllocation{ID: 1,
			Instances: []topology.InstanceAllocation{{In: "svc-1", Number: 1}, {In: "svc-3", Number: 2}}},
	}
}

func aChain(functions ...string) *topology.Chain {
	ch := &topology.Chain{
		Metadata:  topology.Metadata{Tenant: "acme", Name: "guarded"},
		Spec:      topology.ChainSpec{Router: "core", Functions: functions, Sources: []topology.Side{{Network: "web"}}, Destinations: []topology.Side{{Network: "db"}}},
		Allocated: topology.ChainAllocation{ID: 5, Zone: 9, Priority: 100},
	}
	for i, f := range functions {
		ch.Allocated.Hops = append(ch.Allocated.Hops, topology.HopAllocation{Function: "acme/" + f, Slot: i + 1, VLAN: 10 + i})
	}
	return ch
}

// chainWorld has web on h1, the first instance of fw on h2, and db and the second
// instance on h3; all is realized.
func chainWorld(t *testing.T, chain *topology.Chain, functions ...*topology.ServiceFunction) *world {
	w := newWorld(t)
	web, db, svc := aNetwork("acme", "web", 1), aNetwork("acme", "db", 2), aNetwork("acme", "svc", 3)
	w.load()
	for i := range 3 {
		h := aHost(i + 1)
		h.Allocated.ID = uint32(i + 1)
		w.put(h)
	}
	w.put(web, db, svc, aRouter("acme", "core", 1, "web", "db", "svc"))
	w.put(anEndpoint(web, 1), anEndpoint(db, 1), anEndpoint(svc, 1), anEndpoint(svc, 2), anEndpoint(svc, 3))
	for _, f := range functions {
		w.put(f)
	}
	w.put(chain)
	w.ports("h1", "acme/web-1")
	w.ports("h2", "acme/svc-1", "acme/svc-2")
	w.ports("h3", "acme/svc-3", "acme/db-1")
	for _, h := range w.model.hosts {
		h.ovsdbUp, h.ready = true, true
	}
	w.ackAll()
	for _, h := range []string{"h1", "h2", "h3"} {
		w.seesAll(h, true)
	}
	w.pass(linkGrace + time.Second)
	w.ackAll()
	return w
}

// seesAll has a host say whether the tunnels to the hosts that it watches live; those to dead
// ones do not.
func (w *world) seesAll(host string, up bool, dead ...string) {
	var links []ovsdb.LinkState
	for k := range w.model.hosts[host].watches {
		links = append(links, ovsdb.LinkState{ID: k.spec.Allocated.ID, Known: true, Up: up && !slices.Contains(dead, k.key.Name)})
	}
	w.HostLinks(host, links)
	w.turn()
}

// instanceEvents are what was said of instances since the last call.
func (w *world) instanceEvents() (list []string) {
	for i := range w.events.ring {
		ev := &w.events.ring[i]
		if ev.Type == topology.EventInstanceDown || ev.Type == topology.EventInstanceUp {
			list = append(list, string(ev.Type)+" "+ev.Object.Name+" "+ev.Host+": "+ev.Message)
			ev.Type = ""
		}
	}
	return list
}

func TestInstancesSayHowTheyAre(t *testing.T) {
	w := chainWorld(t, aChain("fw"), aFirewall())
	if said := w.instanceEvents(); len(said) != 2 || said[0] != "instance-up fw h2: instance svc-1 works" {
		t.Errorf("said at first: %q", said)
	}
	is := func(number int, host string, ok bool, reason string) {
		t.Helper()
		in := w.Status(fwKey).Instances[number-1]
		if in.Number != number || in.Host != host || in.Healthy != ok || !strings.Contains(in.Reason, reason) || (reason == "") != (in.Reason == "") {
			t.Errorf("%+v, want host %q, %v, %q", in, host, ok, reason)
		}
		if hop := w.Status(chainKey).Hops[0].Instances[number-1]; hop.InstanceStatus != in || hop.Counters != nil || hop.Connections != nil {
			t.Errorf("in the chain it is %+v, in the function %+v", hop, in)
		}
	}
	said := func(want string) {
		t.Helper()
		if got := strings.Join(w.instanceEvents(), "; "); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
	is(1, "h2", true, "")
	is(2, "h3", true, "")
	st := w.Status(fwKey)
	if a, b := st.Instances[0], st.Instances[1]; a.In != "svc-1" || a.Out != "svc-2" || a.Drain || b.In != "svc-3" || b.Out != "" || !b.Drain {
		t.Errorf("%+v", st.Instances)
	}
	up := st.Instances[0].Since

	w.pass(time.Minute)
	down := w.clock
	w.HostPorts("h2", []ovsdb.Port{
		{Name: "p-acme/svc-1", InterfaceID: "acme/svc-1", OFPort: ofportOf("acme/svc-1"), LinkUp: true},
		{Name: "p-acme/svc-2", InterfaceID: "acme/svc-2", OFPort: ofportOf("acme/svc-2")},
	})
	w.turn()
	is(1, "h2", false, "link of port p-acme/svc-2 of host h2 is down")
	said("instance-down fw h2: instance svc-1 does not work any more: the link of port p-acme/svc-2 of host h2 is down")
	w.ackAll()
	w.mustBe(fwKey, topology.PhaseRealized) // the other one works
	if since := w.Status(fwKey).Instances[0].Since; !since.Equal(down) || since.Equal(up) {
		t.Errorf("down since %v, want %v", since, down)
	}

	w.ports("h2", "acme/svc-1", "acme/svc-2")
	is(1, "h2", true, "")
	said("instance-up fw h2: instance svc-1 works")

	w.ports("h2", "acme/svc-1")
	is(1, "h2", false, "Endpoint acme/svc-2 is not bound")
	w.ports("h2")
	is(1, "", false, "Endpoint acme/svc-1 is not bound")
	said("instance-down fw h2: instance svc-1 does not work any more: Endpoint acme/svc-2 is not bound to a host")

	// Hosts that watch the other one say that it is dead; switches see it for themselves.
	before := w.contents("h1")
	for _, h := range []string{"h1", "h2"} {
		w.seesAll(h, true, "h3")
	}
	is(2, "h3", false, "host h3 is dead")
	said("instance-down fw h3: instance svc-3 does not work any more: host h3 is dead")
	if !slices.Equal(before, w.contents("h1")) {
		t.Error("that a host is dead has changed flows of others")
	}
	w.mustBe(fwKey, topology.PhaseFailed)
	for _, h := range []string{"h1", "h2"} {
		w.seesAll(h, true)
	}
	said("instance-up fw h3: instance svc-3 works")

	// What a host said that is gone counts no more; where nobody says anything, the sessions
	// of the instance's host must do.
	w.seesAll("h1", true, "h3")
	w.HostGone("h2", errors.New("gone"))
	w.turn()
	said("instance-down fw h3: instance svc-3 does not work any more: host h3 is dead")
	w.HostGone("h1", errors.New("gone"))
	w.turn()
	said("instance-up fw h3: instance svc-3 works")
	w.ackAll()
	w.Disconnected(3, errors.New("gone"))
	w.turn()
	said("instance-down fw h3: instance svc-3 does not work any more: host h3 is dead")
	w.ack(3)
	w.turn()
	said("instance-up fw h3: instance svc-3 works")

	// One that is no instance any more has not failed.
	less := aFirewall()
	less.Spec.Instances, less.Allocated.Instances = less.Spec.Instances[:1], less.Allocated.Instances[:1]
	w.put(less)
	said("")
	if n := len(w.Status(fwKey).Instances); n != 1 {
		t.Errorf("%d instances", n)
	}
}

// What a new tunnel says while it comes up is not that its host is dead.
func TestANewTunnelTellsOfNoDeadInstance(t *testing.T) {
	w := chainWorld(t, aChain("fw"), aFirewall())
	w.instanceEvents()
	w.remove(chainKey)
	w.pass(drainTime + time.Second)
	close(w.loaded) // links of before a start would be taken to work
	w.put(aChain("fw"))
	for _, h := range []string{"h1", "h2", "h3"} {
		w.seesAll(h, false)
	}
	if said := w.instanceEvents(); len(said) > 0 {
		t.Errorf("said %q", said)
	}
	w.pass(linkGrace + time.Second)
	w.keepHouse()
	w.turn()
	if said := w.instanceEvents(); len(said) != 2 {
		t.Errorf("said %q of tunnels that never came up", said)
	}
}

func TestHopsSayHowTheyFare(t *testing.T) {
	open := aFirewall()
	open.Metadata.Name, open.Allocated.ID = "ids", 2
	open.Spec = topology.ServiceFunctionSpec{Type: topology.FunctionTransparent, FailMode: topology.FailOpen, Tagged: true}
	open.Allocated.Instances = nil
	tap := aFirewall()
	tap.Metadata.Name, tap.Allocated.ID = "tap", 3
	tap.Spec, tap.Allocated.Instances = topology.ServiceFunctionSpec{Type: topology.FunctionTap}, nil
	w := chainWorld(t, aChain("fw", "ids", "tap"), aFirewall(), open, tap)
	hops := w.Status(chainKey).Hops
	if len(hops) != 3 {
		t.Fatalf("%d hops", len(hops))
	}
	for i, want := range []topology.HopStatus{
		{HopAllocation: topology.HopAllocation{Function: "acme/fw", Slot: 1, VLAN: 10}, Type: topology.FunctionRouted, FailMode: "reroute, then closed"},
		{HopAllocation: topology.HopAllocation{Function: "acme/ids", Slot: 2, VLAN: 11}, Type: topology.FunctionTransparent, FailMode: "open", Tagged: true},
		{HopAllocation: topology.HopAllocation{Function: "acme/tap", Slot: 3, VLAN: 12}, Type: topology.FunctionTap},
	} {
		got := hops[i]
		got.Instances = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("hop %d: %+v, want %+v", i+1, got, want)
		}
	}

	w.sw.counted = map[uint64]uint64{1: 1, 2: 1, 3: 1}
	st := w.StatusCounted(t.Context(), chainKey)
	if c := st.Entered; c.Forward.Packets != 3 || c.Backward.Packets != 3 { // at the first hop, and at the last one
		t.Errorf("entered: %+v", c)
	}
	hops = st.Hops
	if h := hops[0]; h.Dropped == nil || h.Skipped != nil || *h.Dropped != 2*3 { // both directions, on three hosts
		t.Errorf("closed: %+v", h)
	}
	if h := hops[1]; h.Dropped != nil || h.Skipped == nil || *h.Skipped != 2*3 {
		t.Errorf("open: %+v", h)
	}
	if h := hops[2]; h.Dropped != nil || h.Skipped != nil {
		t.Errorf("a tap: %+v", h)
	}
}

func TestChainsAreCounted(t *testing.T) {
	w := chainWorld(t, aChain("fw"), aFirewall())
	w.sw.counted = map[uint64]uint64{1: 1, 2: 10, 3: 100}
	if st := w.Status(chainKey); st.Entered != nil || w.sw.asked.Load() != 0 {
		t.Errorf("a status alone asks %d times: %+v", w.sw.asked.Load(), st)
	}
	st := w.StatusCounted(t.Context(), chainKey)
	in := st.Hops[0].Instances
	// Each flow has counted 1 on h1, 10 on h2 and 100 on h3; one direction has a flow for IPv4
	// in steer, and accept one for each IP version on the host of the instance.
	if c := st.Entered; c == nil || c.Forward.Packets != 111 || c.Backward != (topology.Count{Packets: 111, Bytes: 11100}) {
		t.Errorf("entered: %+v", c)
	}
	if c := in[0].Counters; c.Forward.Packets != 20 || c.Backward.Packets != 20 || c.Backward.Bytes != 2000 {
		t.Errorf("the instance on h2 got %+v", c)
	}
	if c := in[1].Counters; c.Forward.Packets != 200 || c.Backward.Packets != 200 {
		t.Errorf("the instance on h3 got %+v", c)
	}
	if n := in[0].Connections; n == nil || *n != 4*111 { // two IP versions, two directions
		t.Errorf("connections: %v", n)
	}
	if len(st.Warnings) > 0 || st.Phase != topology.PhaseRealized {
		t.Errorf("%+v", st)
	}

	// They are asked once a second, whoever wants to know.
	asked := w.sw.asked.Load()
	for range 3 {
		w.StatusCounted(t.Context(), chainKey)
	}
	w.StatusCounted(t.Context(), fwKey)
	if w.sw.asked.Load() != asked {
		t.Errorf("asked %d times within a second, want %d", w.sw.asked.Load(), asked)
	}
	w.clock = w.clock.Add(countEvery)
	if w.StatusCounted(t.Context(), chainKey); w.sw.asked.Load() != 2*asked {
		t.Errorf("asked %d times in two seconds, want %d", w.sw.asked.Load(), 2*asked)
	}

	// One instance is not chosen, and those that are preferred not counted.
	near := aFirewall()
	near.Spec.PreferLocal = true
	w.put(near)
	if in := w.StatusCounted(t.Context(), chainKey).Hops[0].Instances; in[0].Connections != nil || in[0].Counters == nil {
		t.Errorf("local ones preferred: %+v", in[0])
	}
}

func TestHostsThatDoNotAnswerAreNamed(t *testing.T) {
	w := chainWorld(t, aChain("fw"), aFirewall())
	w.sw.counted = map[uint64]uint64{1: 1, 2: 0}
	began := time.Now()
	var all sync.WaitGroup
	for range 2 { // who comes later waits for the same answers
		all.Go(func() {
			st := w.StatusCounted(t.Context(), chainKey)
			if want := "counters lack those of h2 (no answer within 500ms), h3 (not connected)"; !slices.Contains(st.Warnings, want) || st.Entered == nil || st.Entered.Forward.Packets != 1 {
				t.Errorf("warnings %q, entered %+v; want %q, and what h1 has", st.Warnings, st.Entered, want)
			}
		})
	}
	all.Wait()
	if d := time.Since(began); d < countPatience || d > 20*countPatience {
		t.Errorf("it took %v", d)
	}

	// Without any answer nothing is known, which is not zero.
	w.clock = w.clock.Add(countEvery)
	w.sw.counted = map[uint64]uint64{}
	if st := w.StatusCounted(t.Context(), chainKey); st.Entered != nil || st.Hops[0].Instances[0].Counters != nil || len(st.Warnings) != 1 {
		t.Errorf("no host is connected: %+v", st)
	}

	w.clock = w.clock.Add(countEvery)
	w.sw.counted = map[uint64]uint64{1: 0}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if st := w.StatusCounted(ctx, chainKey); st.Entered != nil || len(st.Warnings) != 1 {
		t.Errorf("the request has ended: %+v", st)
	}
	<-w.countings.of[chainKey].done
}
