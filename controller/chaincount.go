package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dovetail-sdn/dovetail/ofctrl"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// This file asks switches what chains have counted. They are asked when somebody wants to
// know, by him who wants to: the loop never waits for a switch.

// Bounds on the counting of a chain.
const (
	// countPatience is how long switches may take to answer.
	countPatience = 500 * time.Millisecond
	// countEvery is the least time from one counting to the next one.
	countEvery = time.Second
	// maxCounting is how many switches are asked at the same time.
	maxCounting = 64
	// maxNamed is how many hosts are named that have not answered.
	maxNamed = 5
)

// counted is what the switches have counted of one chain.
type counted struct {
	began time.Time
	done  chan struct{} // closed when what follows is complete
	total map[pipeline.ChainCount]topology.Count
	// answered is how many hosts have; missing are the others, with the reason.
	answered int
	missing  []missingHost
}

type missingHost struct {
	name string
	err  error
}

// countings are those of the last second, and those that go on. They are safe for
// concurrent use.
type countings struct {
	mu sync.Mutex
	of map[topology.Key]*counted
}

// get is the chain's counting, a new one if isNew.
func (l *countings) get(key topology.Key, now time.Time) (n *counted, isNew bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, old := range l.of {
		if now.Sub(old.began) >= countEvery {
			delete(l.of, k)
		}
	}
	if n := l.of[key]; n != nil {
		return n, false
	}
	n = &counted{began: now, done: make(chan struct{}), total: map[pipeline.ChainCount]topology.Count{}}
	l.of[key] = n
	return n, true
}

// StatusCounted implements rest.Realization.
func (c *Controller) StatusCounted(ctx context.Context, key topology.Key) topology.Status {
	s := c.Status(key)
	if key.Kind != topology.KindChain {
		return s
	}
	at := c.countersOf(key)
	if len(at.hosts) == 0 {
		return s
	}
	n, isNew := c.countings.get(key, c.now())
	if isNew {
		// Others may come to wait for it, too: it does not end with this request.
		go c.countChain(context.WithoutCancel(ctx), n, key, at.hosts)
	}
	select {
	case <-n.done:
		n.fill(&s, at)
	case <-ctx.Done():
		s.Warnings = append(s.Warnings, "packets are not counted: the request has ended")
	}
	return s
}

// countersAt says where a chain's counters are, and what they count.
type countersAt struct {
	id    uint32
	odd   bool
	hops  []*topology.ServiceFunction
	hosts map[string]uint64 // datapath ids by name
}

func (c *Controller) countersOf(key topology.Key) countersAt {
	c.mu.RLock()
	defer c.mu.RUnlock()
	ch := c.model.chains[key]
	if ch == nil {
		return countersAt{}
	}
	w := ch.current()
	at := countersAt{id: ch.spec.Allocated.ID, odd: w.odd, hosts: map[string]uint64{}}
	for _, f := range w.hops {
		at.hops = append(at.hops, f.spec)
	}
	for h := range ch.feed.followers {
		at.hosts[h.key.Name] = h.spec.Allocated.DatapathID
	}
	return at
}

// countChain adds up what all hosts have counted.
func (c *Controller) countChain(ctx context.Context, n *counted, key topology.Key, hosts map[string]uint64) {
	ctx, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	defer close(n.done)
	cookie := uint64(openflow.SourceID(key.String())) << 32
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(maxCounting)
	for name, dpid := range hosts {
		g.Go(func() error {
			stats, err := c.askHost(ctx, dpid, cookie)
			mu.Lock()
			defer mu.Unlock()
			n.add(name, stats, err)
			return nil
		})
	}
	_ = g.Wait() // nobody returns an error
	slices.SortFunc(n.missing, func(a, b missingHost) int { return compareNames(a.name, b.name) })
}

// askHost asks for the flows of one source, table after table.
func (c *Controller) askHost(ctx context.Context, dpid, cookie uint64) ([]openflow.FlowStat, error) {
	var all []openflow.FlowStat
	for _, table := range pipeline.CountingTables() {
		stats, err := c.switches.FlowStats(ctx, dpid, openflow.FlowQuery{Table: table, Cookie: cookie, CookieMask: 0xffffffff << 32})
		if err != nil {
			return nil, err
		}
		all = append(all, stats...)
	}
	return all, nil
}

// add takes in what a host has answered.
func (n *counted) add(host string, stats []openflow.FlowStat, err error) {
	if err != nil {
		n.missing = append(n.missing, missingHost{host, err})
		return
	}
	n.answered++
	for _, st := range stats {
		f, err := openflow.DecodeFlow(st.ID, st.Match, st.Instructions)
		if err != nil {
			continue // it is not of ours: somebody else has put it there
		}
		if what, ok := pipeline.ReadChainFlow(f); ok {
			sum := n.total[what]
			sum.Add(topology.Count{Packets: st.Packets, Bytes: st.Bytes})
			n.total[what] = sum
		}
	}
}

// fill writes what was counted of the chain into its status.
func (n *counted) fill(s *topology.Status, at countersAt) {
	s.Warnings = append(s.Warnings, n.warnings()...)
	if n.answered == 0 || len(s.Hops) != len(at.hops) { // or it has just changed
		return
	}
	s.Entered = n.both(pipeline.ChainEntered, at, 1, len(s.Hops), 0)
	for i, f := range at.hops {
		n.fillHop(&s.Hops[i], f, at, i+1)
	}
}

func (n *counted) fillHop(hop *topology.HopStatus, f *topology.ServiceFunction, at countersAt, k int) {
	tap := f.Spec.Type == topology.FunctionTap
	for j := range hop.Instances {
		in := &hop.Instances[j]
		in.Counters = n.both(pipeline.ChainGiven, at, k, k, in.Number)
		// A single instance is not chosen, and a local one that is preferred not counted.
		if len(hop.Instances) > 1 && !tap && !f.Spec.PreferLocal {
			in.Connections = packets(n.both(pipeline.ChainChosen, at, k, k, in.Number))
		}
	}
	failed := packets(n.both(pipeline.ChainFailed, at, k, k, 0))
	switch {
	case tap:
	case f.SkippedWithout():
		hop.Skipped = failed
	default:
		hop.Dropped = failed
	}
}

// both is what was counted of an event at one hop, and in the other direction at another.
func (n *counted) both(e pipeline.ChainEvent, where countersAt, forward, backward, instance int) *topology.Counters {
	at := func(hop int, back bool) topology.Count {
		return n.total[pipeline.ChainCount{Event: e, Position: pipeline.Position{Chain: where.id, Odd: where.odd, Backward: back, Hop: hop}, Instance: instance}]
	}
	return &topology.Counters{Forward: at(forward, false), Backward: at(backward, true)}
}

func packets(c *topology.Counters) *uint64 {
	n := c.Forward.Packets + c.Backward.Packets
	return &n
}

// warnings name the hosts whose counters are missing.
func (n *counted) warnings() []string {
	if len(n.missing) == 0 {
		return nil
	}
	var named []string
	for _, m := range n.missing[:min(len(n.missing), maxNamed)] {
		named = append(named, m.name+" ("+missingText(m.err)+")")
	}
	text := strings.Join(named, ", ")
	if more := len(n.missing) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return []string{"counters lack those of " + text}
}

func missingText(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %v", countPatience)
	case errors.Is(err, ofctrl.ErrNotConnected):
		return "not connected"
	}
	return err.Error()
}
