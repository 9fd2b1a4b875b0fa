package controller

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// guardWorld has a routed function of two instances, on hosts 1 and 2, in a chain. They are
// asked every 200 ms, and are dead after three questions.
type guardWorld struct {
	*world
	f *function
	// silent instances, by number, do not answer; of cut hosts, by datapath id, nothing
	// comes back.
	silent map[int]bool
	cut    map[uint64]bool
	asked  map[int]int // questions, by number
	// behind switches, by datapath id, acknowledge nothing.
	behind map[uint64]bool
}

func newGuardWorld(t *testing.T, change ...func(*topology.ServiceFunction)) *guardWorld {
	w := &guardWorld{world: newWorld(t), silent: map[int]bool{}, cut: map[uint64]bool{}, asked: map[int]int{}, behind: map[uint64]bool{}}
	net := aNetwork("acme", "svc", 9001)
	in1, in2 := anEndpoint(net, 1), anEndpoint(net, 2)
	f := &topology.ServiceFunction{
		Metadata: topology.Metadata{Tenant: "acme", Name: "fw"},
		Spec: topology.ServiceFunctionSpec{Type: topology.FunctionRouted, Instances: []topology.Instance{{In: in1.Metadata.Name}, {In: in2.Metadata.Name}},
			Probe: &topology.Probe{Protocol: topology.ProbeICMP, IntervalMillis: 200}},
		Allocated: topology.ServiceFunctionAllocation{ID: 1,
			Instances: []topology.InstanceAllocation{{In: in1.Metadata.Name, Number: 1}, {In: in2.Metadata.Name, Number: 2}}},
	}
	for _, c := range change {
		c(f)
	}
	w.put(aHost(1), aHost(2), net, in1, in2, aRouter("acme", "core", 1, "svc"), f, &topology.Chain{
		Metadata:  topology.Metadata{Tenant: "acme", Name: "guarded"},
		Spec:      topology.ChainSpec{Router: "core", Functions: []string{"fw"}},
		Allocated: topology.ChainAllocation{ID: 1, Zone: 1, Priority: 1, Hops: []topology.HopAllocation{{Function: "acme/fw", Slot: 1, VLAN: 1}}},
	})
	w.ports("h1", in1.Allocated.InterfaceID)
	w.ports("h2", in2.Allocated.InterfaceID)
	w.ackAll()
	w.f = w.model.functions[f.Key()]
	return w
}

// pass lets time go by: switches acknowledge, and instances and switches answer.
func (w *guardWorld) pass(d time.Duration) {
	for end := w.clock.Add(d); w.clock.Before(end); {
		w.clock = w.clock.Add(10 * time.Millisecond)
		w.turn()
		for dpid := range w.sw.plans {
			if w.sw.acked[dpid] != nil && !w.cut[dpid] && !w.behind[dpid] {
				w.ack(dpid)
			}
		}
		w.reply()
	}
	w.turn()
}

func (w *guardWorld) reply() {
	packets := w.sw.packets
	w.sw.packets = nil
	for _, p := range packets {
		if w.cut[p.dpid] {
			continue
		}
		switch a := p.actions[0].(type) {
		case openflow.ToController:
			w.PacketIn(p.dpid, openflow.PacketIn{Data: p.data, Fields: openflow.Match{openflow.InPort.Uint(uint64(openflow.PortController))}})
		case openflow.Output:
			number := int(p.dpid)
			w.asked[number]++
			if !w.silent[number] {
				w.PacketIn(p.dpid, answerTo(p.data, a.Port))
				w.PacketIn(p.dpid, answerTo(p.data, a.Port)) // one too many
			}
		}
	}
}

// answerTo is what a switch sends up when an instance answers an echo request.
func answerTo(request []byte, port uint32) openflow.PacketIn {
	d := append([]byte(nil), request...)
	copy(d[26:], request[30:34])
	copy(d[30:], request[26:30])
	d[34] = 0
	return openflow.PacketIn{Data: d, Fields: openflow.Match{openflow.InPort.Uint(uint64(port)), pipeline.RegReason.Uint(uint64(pipeline.ReasonAnswer))}}
}

func (w *guardWorld) dead(number int) bool {
	w.t.Helper()
	dead, since, why := w.probedDead(w.f, number)
	if dead != (why != "") || dead == since.IsZero() {
		w.t.Errorf("dead %t, since %s, why %q", dead, since, why)
	}
	for _, p := range w.placed(w.f, w.model.hosts["h1"]) {
		if p.Number == number && p.Alive == dead {
			w.t.Errorf("instance %d is dead: %t, alive: %t", number, dead, p.Alive)
		}
	}
	return dead
}

func (w *guardWorld) mustBe(dead bool, number int, when string) {
	w.t.Helper()
	if w.dead(number) != dead {
		w.t.Errorf("instance %d %s: dead is %t", number, when, !dead)
	}
}

// An instance is dead after three questions in a row, and alive after one answer.
func TestSilentInstancesAreDead(t *testing.T) {
	w := newGuardWorld(t)
	w.pass(2 * time.Second)
	for n := 1; n <= 2; n++ {
		w.mustBe(false, n, "that answers")
		if w.asked[n] < 9 || w.asked[n] > 11 {
			t.Errorf("instance %d was asked %d times in 2 s", n, w.asked[n])
		}
	}
	flows := func() string { return fmt.Sprint(w.contents("h1")) }
	before := flows()
	w.silent[1] = true
	clear(w.asked)
	began := w.clock
	for !w.dead(1) && w.clock.Before(began.Add(5*time.Second)) {
		w.pass(10 * time.Millisecond)
	}
	if w.asked[1] != 3 || w.clock.After(began.Add(850*time.Millisecond)) {
		t.Errorf("it is dead after %d questions, %s", w.asked[1], w.clock.Sub(began))
	}
	w.mustBe(false, 2, "that answers")
	if flows() == before {
		t.Error("nothing changes on a switch")
	}
	if phase, why := w.judgeFunction(w.f); phase != topology.PhaseRealized {
		t.Errorf("one lives, and the function is %s: %s", phase, why)
	}
	w.silent[2] = true
	w.pass(900 * time.Millisecond)
	if phase, why := w.judgeFunction(w.f); phase != topology.PhaseFailed || !strings.Contains(why, "an echo request to 10.41.0.1") {
		t.Errorf("%s: %s", phase, why)
	}
	clear(w.silent)
	w.pass(500 * time.Millisecond)
	w.mustBe(false, 1, "that answers again")
	if flows() != before {
		t.Error("it is back, and the switch is not as before")
	}
	// Now and then one question is lost.
	for range 10 {
		w.silent[1] = true
		w.pass(350 * time.Millisecond)
		w.silent[1] = false
		w.pass(450 * time.Millisecond)
		w.mustBe(false, 1, "that misses two at most")
	}
}

// While a switch is away, or sends nothing back, its instances stay what they were.
func TestAHostThatIsAwayConcludesNothing(t *testing.T) {
	w := newGuardWorld(t)
	w.pass(time.Second)
	w.cut[1] = true // and nobody has noticed yet
	w.pass(5 * time.Second)
	w.mustBe(false, 1, "behind a session that is dead")
	w.Disconnected(1, errors.New("gone"))
	w.sw.acked[1] = nil
	w.turn()
	w.asked[1] = 0
	w.pass(5 * time.Second)
	w.mustBe(false, 1, "on a host that is away")
	if w.asked[1] != 0 {
		t.Error("it is asked")
	}
	w.cut[1], w.silent[1] = false, true
	w.ack(1)
	w.pass(1500 * time.Millisecond)
	w.mustBe(true, 1, "on a host that is back, and silent")
	w.Disconnected(1, errors.New("gone"))
	w.sw.acked[1], w.silent[1], w.cut[1] = nil, false, true // what was asked is lost
	w.pass(time.Second)
	w.mustBe(true, 1, "that was dead when its host went away")
	w.cut[1] = false
	w.ack(1)
	w.pass(time.Second)
	w.mustBe(false, 1, "on a host that is back, and answers")
	if len(w.roundTrips) > 0 {
		t.Errorf("%d round trips are still waited for", len(w.roundTrips))
	}
}

// An answer that is lost with a session is no failure: the next session does not know it.
func TestALostSessionLosesAnswers(t *testing.T) {
	w := newGuardWorld(t, func(f *topology.ServiceFunction) { f.Spec.Probe.Failures = 1 })
	w.pass(time.Second)
	w.cut[1] = true
	w.pass(150 * time.Millisecond)
	for len(w.model.hosts["h1"].asked) == 0 {
		w.pass(10 * time.Millisecond)
	}
	w.Disconnected(1, errors.New("gone"))
	w.sw.acked[1] = nil
	w.pass(10 * time.Millisecond)
	w.cut[1] = false
	w.ack(1)
	for range 100 {
		w.pass(10 * time.Millisecond)
		if w.dead(1) {
			t.Fatal("it is dead")
		}
	}
}

// What nobody has asked for changes nothing, and takes no room.
func TestAnswersThatNobodyAskedFor(t *testing.T) {
	w := newGuardWorld(t)
	w.pass(time.Second)
	w.silent[1] = true
	w.pass(900 * time.Millisecond)
	w.mustBe(true, 1, "that is silent")
	port := w.model.endpoints[w.f.spec.Endpoints()[0]].binding.OFPort
	frame := packet.EchoRequest([6]byte{2}, [6]byte{4}, packet.Echo{Src: hop1, Dst: hop2, ID: 1, Seq: 2})
	for range 3 * maxAnswers {
		w.PacketIn(1, answerTo(frame, port))
		w.PacketIn(1, answerTo(frame, port+1))
		w.PacketIn(7, answerTo(frame, port))
	}
	w.inbox.mu.Lock()
	waiting := len(w.inbox.work)
	w.inbox.mu.Unlock()
	if waiting > maxAnswers {
		t.Errorf("%d answers wait", waiting)
	}
	// Others have room all the same.
	w.PacketIn(1, sentUp(pipeline.ReasonStray, frame))
	w.inbox.mu.Lock()
	if len(w.inbox.work) != waiting+1 {
		t.Error("answers crowd out other packets")
	}
	w.inbox.mu.Unlock()
	w.sw.packets = nil
	w.turn()
	w.mustBe(true, 1, "in whose name others answer")
	if len(w.sw.packets) > 4 {
		t.Errorf("%d packets are sent for a flood", len(w.sw.packets))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		d := make([]byte, r.IntN(100))
		for i := range d {
			d[i] = byte(r.Uint32())
		}
		w.instanceAnswered(w.model.hosts["h1"], openflow.PacketIn{Data: d, Fields: openflow.Match{openflow.InPort.Uint(uint64(port))}})
		if r.IntN(100) == 0 {
			w.pass(10 * time.Millisecond)
		}
	}
	w.mustBe(true, 1, "that says anything but the answer")
}

// Both ports of an instance have to answer; through a transparent one, both directions.
func TestEveryPortIsAsked(t *testing.T) {
	second := func(f *topology.ServiceFunction) {
		f.Spec.Instances = []topology.Instance{{In: "svc-1", Out: "svc-2"}}
		f.Allocated.Instances = f.Allocated.Instances[:1]
	}
	for _, typ := range []topology.FunctionType{topology.FunctionRouted, topology.FunctionTransparent} {
		w := newGuardWorld(t, second, func(f *topology.ServiceFunction) { f.Spec.Type = typ })
		ids := []string{"acme/svc-1", "acme/svc-2"}
		w.ports("h2")
		w.ports("h1", ids...)
		w.ackAll()
		in, out := ofportOf(ids[0]), ofportOf(ids[1])
		if typ == topology.FunctionTransparent {
			in, out = out, in // where it comes out again
		}
		answer := func(p sentPacket, port uint32) {
			if typ == topology.FunctionRouted {
				w.PacketIn(1, answerTo(p.data, port))
				return
			}
			w.PacketIn(1, openflow.PacketIn{Data: p.data, Fields: openflow.Match{
				openflow.InPort.Uint(uint64(in + out - port)), pipeline.RegReason.Uint(uint64(pipeline.ReasonAnswer))}})
		}
		run := func(d time.Duration, mute uint32) {
			for end := w.clock.Add(d); w.clock.Before(end); {
				w.clock = w.clock.Add(10 * time.Millisecond)
				w.turn()
				w.ackAll()
				packets := w.sw.packets
				w.sw.packets = nil
				for _, p := range packets {
					switch a := p.actions[0].(type) {
					case openflow.ToController:
						w.PacketIn(1, openflow.PacketIn{Data: p.data, Fields: openflow.Match{openflow.InPort.Uint(uint64(openflow.PortController))}})
					case openflow.Output:
						if a.Port != mute {
							answer(p, a.Port)
						}
					}
				}
			}
			w.turn()
		}
		run(time.Second, 0)
		w.mustBe(false, 1, fmt.Sprintf("%s, that answers", typ))
		for _, mute := range []uint32{in, out} {
			run(time.Second, mute)
			w.mustBe(true, 1, fmt.Sprintf("%s, silent at port %d", typ, mute))
			run(time.Second, 0)
			w.mustBe(false, 1, fmt.Sprintf("%s, back at port %d", typ, mute))
		}
	}
}

// Who is no more, or has no probe or chain any more, is asked no more and is alive.
func TestQuestionsEnd(t *testing.T) {
	w := newGuardWorld(t)
	w.silent[1] = true
	w.pass(2 * time.Second)
	w.mustBe(true, 1, "that is silent")
	plain := *w.f.spec
	plain.Spec.Probe = nil
	w.put(&plain)
	w.mustBe(false, 1, "without a probe")
	probed := plain
	probed.Spec.Probe = &topology.Probe{Protocol: topology.ProbeARP, IntervalMillis: 100, Failures: 1}
	w.put(&probed)
	w.pass(time.Second)
	w.mustBe(true, 1, "with another probe")
	one := probed
	one.Spec.Instances, one.Allocated.Instances = one.Spec.Instances[:1], one.Allocated.Instances[:1]
	w.put(&one)
	if len(w.questions) != 1 || len(w.f.health) != 1 {
		t.Errorf("%d are asked", len(w.questions))
	}
	w.remove(topology.Key{Kind: topology.KindChain, Tenant: "acme", Name: "guarded"})
	w.pass(drainTime + time.Second) // packets may still be on their way
	w.mustBe(false, 1, "without a chain")
	w.pass(time.Second)
	w.remove(w.f.key)
	w.pass(time.Second)
	for _, h := range w.model.hosts {
		if len(h.asked) > 0 {
			t.Errorf("%s: answers of %d ports are waited for", h.key, len(h.asked))
		}
	}
	if len(w.questions) > 0 || len(w.roundTrips) > 0 {
		t.Errorf("%d questions, %d round trips", len(w.questions), len(w.roundTrips))
	}
}

// Instances are not asked while their switch does not know all of them yet.
func TestQuestionsWaitForFlows(t *testing.T) {
	w := newGuardWorld(t)
	w.pass(time.Second)
	w.behind[1] = true
	tagged := *w.f.spec
	tagged.Spec.Tagged = true
	w.put(&tagged)
	clear(w.asked)
	w.pass(time.Second)
	if w.asked[1] > 0 || w.asked[2] == 0 {
		t.Errorf("asked %v", w.asked)
	}
	w.behind[1] = false
	w.pass(time.Second)
	if w.asked[1] == 0 {
		t.Error("it is not asked any more")
	}
}

// A thousand instances that start at once are asked evenly.
func TestQuestionsAreSpread(t *testing.T) {
	w := newWorld(t)
	net := aNetwork("acme", "svc", 9001)
	w.put(net, aRouter("acme", "core", 1, "svc"))
	const functions, each = 40, 25
	for i := range functions {
		f := &topology.ServiceFunction{Metadata: topology.Metadata{Tenant: "acme", Name: fmt.Sprint("f", i)},
			Spec:      topology.ServiceFunctionSpec{Type: topology.FunctionRouted, Probe: &topology.Probe{Protocol: topology.ProbeARP}},
			Allocated: topology.ServiceFunctionAllocation{ID: uint32(i + 1)}}
		for n := range each {
			e := anEndpoint(net, i*each+n+1)
			w.put(e)
			f.Spec.Instances = append(f.Spec.Instances, topology.Instance{In: e.Metadata.Name})
			f.Allocated.Instances = append(f.Allocated.Instances, topology.InstanceAllocation{In: e.Metadata.Name, Number: n + 1})
		}
		w.put(f, &topology.Chain{Metadata: topology.Metadata{Tenant: "acme", Name: fmt.Sprint("c", i)},
			Spec:      topology.ChainSpec{Router: "core", Functions: []string{f.Metadata.Name}},
			Allocated: topology.ChainAllocation{ID: uint32(i + 1), Zone: uint32(i + 1), Priority: i + 1, Hops: []topology.HopAllocation{{Function: f.Key().Tenant + "/" + f.Metadata.Name, Slot: 1}}}})
	}
	slots := map[int]int{}
	for _, s := range w.questions {
		slots[int(s.due.Sub(w.clock)/(100*time.Millisecond))]++
	}
	if len(w.questions) != functions*each {
		t.Fatalf("%d are asked", len(w.questions))
	}
	for i, n := range slots {
		if n > functions*each/5 {
			t.Errorf("%d are asked in slot %d of ten", n, i)
		}
	}
	w.clock = w.clock.Add(time.Minute)
	if next := w.askInstances(); !next.Equal(w.clock) {
		t.Error("a round of the loop has no bound")
	}
}
