package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
	"pgregory.net/rapid"
)

// Whatever happened on the way, every host's plan is the one that a controller
// makes that is told only how things are in the end.
func TestPlansDependOnlyOnTheFinalState(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newScript(rt, t)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			s.step()
		}
		s.w.ackAll()
		s.w.ackAll()
		if left := s.w.waiting(); len(left) > 0 {
			rt.Fatalf("%v still wait for switches, which have acknowledged everything\nafter %v", left, s.log)
		}
		want := s.fresh()
		for _, h := range s.hosts {
			got, wanted := s.w.contents(h), want.contents(h)
			if !slices.Equal(got, wanted) {
				rt.Fatalf("host %s\nhas   %v\nwants %v\nafter %v", h, got, wanted, s.log)
			}
			// What one owner gives up, a switch would lose for the other.
			for flow, owners := range s.w.flowOwners(h) {
				if len(owners) > 1 {
					rt.Fatalf("host %s has a flow of table %d %d times after %v", h, flow[0], len(owners), s.log)
				}
			}
		}
	})
}

// waiting is what waits for acknowledgements, and what is kept for them.
func (w *world) waiting() (list []string) {
	for k := range w.model.removed {
		list = append(list, "removed "+k.String())
	}
	for h := range w.lingering {
		list = append(list, "plan of "+h.key.Name)
	}
	for _, h := range w.model.hosts {
		for f := range h.follows {
			for _, m := range f.pending {
				list = append(list, m.obj.key.String()+" for "+f.Name())
			}
		}
	}
	return list
}

// script does random things to a world, and remembers how things are.
type script struct {
	rt    *rapid.T
	t     *testing.T
	w     *world
	hosts []string
	nets  []*topology.Network
	// what is there now
	router map[string]*topology.Router
	eps    map[topology.Key]*topology.Endpoint
	ports  map[string][]string // by host
	edge   outsideScript
	log    []string
}

func newScript(rt *rapid.T, t *testing.T) *script {
	s := &script{rt: rt, t: t, w: newWorld(t), router: map[string]*topology.Router{}, eps: map[topology.Key]*topology.Endpoint{}, ports: map[string][]string{}}
	for i := 1; i <= 3; i++ {
		s.hosts = append(s.hosts, fmt.Sprintf("h%d", i))
		s.w.put(aHost(i))
	}
	for i, tenant := range []string{"acme", "acme", "acme", "globex"} {
		s.nets = append(s.nets, aNetwork(tenant, fmt.Sprintf("n%d", i), uint32(100+i)))
		s.w.put(s.nets[i])
	}
	s.edge.begin(s)
	return s
}

func (s *script) step() {
	switch rapid.SampledFrom([]string{"endpoint", "endpoint", "port", "port", "port", "router", "ack", "outside", "outside", "outside"}).Draw(s.rt, "what") {
	case "outside":
		s.edge.step(s)
	case "endpoint":
		e := anEndpoint(rapid.SampledFrom(s.nets).Draw(s.rt, "net"), rapid.IntRange(1, 3).Draw(s.rt, "i"))
		if s.edge.stoodFor(e.Key()) {
			return
		}
		if s.eps[e.Key()] != nil && rapid.Bool().Draw(s.rt, "delete") {
			s.log = append(s.log, "delete "+e.Key().String())
			delete(s.eps, e.Key())
			s.w.remove(e.Key())
			return
		}
		s.log = append(s.log, "put "+e.Key().String())
		s.eps[e.Key()] = e
		s.w.put(e)
	case "port":
		h := rapid.SampledFrom(s.hosts).Draw(s.rt, "host")
		e := anEndpoint(rapid.SampledFrom(s.nets).Draw(s.rt, "net"), rapid.IntRange(1, 3).Draw(s.rt, "i"))
		id := e.Allocated.InterfaceID
		// A port is on one host at a time here, so that the end does not depend on
		// the order of claims.
		for o, ids := range s.ports {
			if i := slices.Index(ids, id); i >= 0 {
				s.ports[o] = slices.Delete(slices.Clone(ids), i, i+1)
				s.w.ports(o, s.ports[o]...)
			}
		}
		if rapid.Bool().Draw(s.rt, "there") {
			s.ports[h] = append(slices.Clone(s.ports[h]), id)
			s.w.ports(h, s.ports[h]...)
		}
		s.log = append(s.log, fmt.Sprintf("ports %v", s.ports))
	case "router":
		nets := map[string][]string{"none": nil, "two": {"n0", "n1"}, "other two": {"n1", "n2"}, "all": {"n0", "n1", "n2"}}
		which := rapid.SampledFrom([]string{"none", "two", "other two", "all"}).Draw(s.rt, "nets")
		s.log = append(s.log, "router "+which)
		if nets[which] == nil {
			if r := s.router["r"]; r != nil {
				delete(s.router, "r")
				s.w.remove(r.Key())
			}
			return
		}
		s.router["r"] = s.edge.attach(aRouter("acme", "r", 1, nets[which]...))
		s.w.put(s.router["r"])
	case "ack":
		s.w.ackAll()
	}
}

// fresh is a world that learns the final state at once.
func (s *script) fresh() *world {
	w := newWorld(s.t)
	for i := range s.hosts {
		w.put(s.edge.host(i + 1))
	}
	w.put(s.edge.external, s.edge.gateway)
	for _, n := range s.nets {
		w.put(n)
	}
	for _, e := range s.eps {
		w.put(e)
	}
	for _, r := range s.router {
		w.put(r)
	}
	for h, ids := range s.ports {
		w.ports(h, ids...)
	}
	if s.edge.float != nil {
		w.put(s.edge.float)
	}
	if s.edge.service != nil {
		w.put(s.edge.service)
	}
	return w
}
