package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/dovetail-sdn/dovetail/ofctrl"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// Intent is the store as the controller needs it.
type Intent interface {
	// Revision is that of the newest commit that the store has seen.
	Revision() int64
	Bind(ctx context.Context, changes []store.BindingChange) error
	RegisterHost(ctx context.Context, name string, a topology.HostAllocation) (*topology.Host, error)
	Watch(ctx context.Context) (*store.Watcher, error)
	Neighbours(ctx context.Context) (map[string]map[netip.Addr]topology.MAC, error)
	KeepNeighbours(ctx context.Context, external string, known map[netip.Addr]topology.MAC) error
}

// Switches is the OpenFlow server as the controller needs it; *ofctrl.Server is one.
type Switches interface {
	SetPlan(dpid uint64, name string, feeds []*ofctrl.Feed)
	Forget(dpid uint64)
	Acked(dpid uint64, f *ofctrl.Feed) (seq uint64, ok bool)
	// FlowStats are the flows that have counted something; it waits for the switch until
	// ctx ends.
	FlowStats(ctx context.Context, dpid uint64, q openflow.FlowQuery) ([]openflow.FlowStat, error)
	PacketOut(dpid uint64, inPort uint32, actions []openflow.Action, data []byte) error
}

// Hosts are the OVSDB sessions as the controller needs them; *ovsdb.Server is one.
type Hosts interface {
	// SetLinks has a host provisioned with other links, if it is connected.
	SetLinks(host string, l ovsdb.Links)
}

// Config is what a Controller needs.
type Config struct {
	Intent  Intent
	Log     zerolog.Logger
	Metrics prometheus.Registerer // may be nil
	// OpenFlowTarget is the OpenFlow address that a host gets ("tcp:192.0.2.1:6653"),
	// given the local address of its OVSDB session.
	OpenFlowTarget func(local net.Addr) string
	// NewSpeaker makes a BGP speaker; nil means that nothing is announced.
	NewSpeaker func(log zerolog.Logger) Speaker
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Controller is the control loop. It implements ofctrl.Handler, ovsdb.Handler
// and rest.Realization; its methods are safe for concurrent use.
type Controller struct {
	intent   Intent
	log      zerolog.Logger
	metrics  *metrics
	target   func(local net.Addr) string
	now      func() time.Time
	switches Switches
	hosts    Hosts
	speakers *speakers
	began    time.Time

	events    eventLog
	countings countings
	inbox     inbox
	loaded    chan struct{} // closed when the intent is loaded and compiled
	stopped   chan struct{} // closed when the loop has ended

	mu sync.RWMutex // guards what follows
	model
	dirty     dirty
	sweep     map[*follow]bool // feeds whose acknowledgements may have moved
	lingering map[*host]bool   // hosts that keep feeds until removals are acknowledged
	probing   map[pair]*probe
	proved    map[pair]time.Time
	// witnesses tell gateway hosts that they are not cut off.
	witnesses []*host
	// announcing are the floating IPs that have moved.
	announcing map[*floating]*announcement
	// changing are the chains that are on their way to another way.
	changing   map[*chain]bool
	questions  questions                 // instances of functions that are asked whether they work
	roundTrips map[uint64]*health        // that wait for what a switch is to send back
	lanesSaid  time.Time                 // when lanes were announced last
	tendAt     time.Time                 // when a neighbour has to be asked
	strays     map[stray]time.Time       // since when they are heard of
	remembered map[string]neighbourTable // of before the start, by external network
	forgotten  []string                  // external networks that are no more
	revision   int64                     // of the intent in the feeds
	behind     map[chan struct{}]int64
}

// New makes a controller. Run must be called with the switches before anything
// is reported to it.
func New(cfg Config) *Controller {
	c := &Controller{
		intent: cfg.Intent, log: cfg.Log, metrics: newMetrics(cfg.Metrics), target: cfg.OpenFlowTarget, now: cfg.Now,
		speakers:  newSpeakers(cfg.NewSpeaker, cfg.Log),
		countings: countings{of: map[topology.Key]*counted{}},
		inbox:     newInbox(), loaded: make(chan struct{}), stopped: make(chan struct{}),
		model: newModel(), dirty: newDirty(), sweep: map[*follow]bool{}, lingering: map[*host]bool{},
		probing: map[pair]*probe{}, proved: map[pair]time.Time{}, announcing: map[*floating]*announcement{}, changing: map[*chain]bool{}, strays: map[stray]time.Time{}, roundTrips: map[uint64]*health{}, behind: map[chan struct{}]int64{},
	}
	c.inbox.ackedBy = c.acked
	if c.now == nil {
		c.now = time.Now
	}
	c.began = c.now()
	c.events.begin(c.began)
	return c
}

// Loaded is closed when the stored intent is in the feeds: only then may switches
// be accepted, or they would be compared with half a plan.
func (c *Controller) Loaded() <-chan struct{} { return c.loaded }

// Run is the control loop; it ends with ctx.
func (c *Controller) Run(ctx context.Context, switches Switches, hosts Hosts) error {
	defer close(c.stopped)
	c.switches, c.hosts = switches, hosts
	var err error
	if c.remembered, err = c.intent.Neighbours(ctx); err != nil {
		return err
	}
	w, err := c.intent.Watch(ctx)
	if err != nil {
		return fmt.Errorf("watching the intent: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	keeper, rememberer := newKeeper(c.intent, c.log), newRememberer(c.intent, c.log, c.inbox.nudge)
	g.Go(func() error { keeper.run(ctx); return nil })
	g.Go(func() error { rememberer.run(ctx); return nil })
	g.Go(func() error { c.speakers.run(ctx); return nil })
	g.Go(func() error { return c.loop(ctx, w, keeper, rememberer) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// housekeeping is how often hosts are looked at that have been away for a while,
// and how long a lost wake-up could delay anything.
const housekeeping = time.Second

func (c *Controller) loop(ctx context.Context, w *store.Watcher, keeper *keeper, rememberer *rememberer) error {
	timer := time.NewTimer(housekeeping)
	defer timer.Stop()
	lastKept := c.now()
	for {
		var batch store.Batch
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b, ok := <-w.Batches():
			if !ok {
				return fmt.Errorf("the store's watch ended: %w", w.Err())
			}
			batch = b
		case <-c.inbox.wake:
		case <-timer.C:
		}
		c.mu.Lock()
		began := time.Now()
		c.takeIn(batch)
		// What else is there already is compiled in the same go.
		for more := true; more; {
			select {
			case b, ok := <-w.Batches():
				if more = ok; ok {
					c.takeIn(b)
				}
			default:
				more = false
			}
		}
		c.inbox.run()
		if now := c.now(); now.Sub(lastKept) >= housekeeping {
			lastKept = now
			c.keepHouse()
		}
		keeper.keep(c.toStore(c.flush()))
		c.settleAll()
		c.speakers.say(c.routesDue())
		next := earliest(c.sendProbes(), c.tendNeighbours(), c.sendAnnouncements(), c.askInstances(), c.keepNeighbours(rememberer), c.tendChains())
		c.metrics.flushSeconds.Observe(time.Since(began).Seconds())
		c.mu.Unlock()

		wait := housekeeping
		if !next.IsZero() {
			wait = max(time.Millisecond, min(wait, next.Sub(c.now())))
		}
		timer.Reset(wait)
	}
}

// earliest of some times, where the zero time means never.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// settleAll moves acknowledgements, and with them phases.
func (c *Controller) settleAll() {
	for f := range c.sweep {
		delete(c.sweep, f)
		c.sweepFeed(f)
	}
	for _, g := range c.model.gateways {
		if c.dirty.phases[&g.object] {
			c.lookAt(g)
		}
	}
	for o := range c.dirty.phases {
		if f := c.model.functions[o.key]; f != nil {
			c.watchInstances(f)
		}
	}
	for o := range c.dirty.phases {
		delete(c.dirty.phases, o)
		c.settle(o)
	}
	if len(c.dirty.plans) > 0 {
		c.inbox.nudge() // lingering feeds can be dropped now
	}
}

// keepHouse looks at what only time changes.
func (c *Controller) keepHouse() {
	for _, h := range c.model.hosts {
		if c.away(h) && !h.awayTold {
			h.awayTold = true
			for f := range h.follows {
				c.sweep[f] = true
			}
			for e := range h.endpoints {
				c.dirty.phases[&e.object] = true
				for f := range e.floats {
					c.dirty.phases[&f.object] = true
				}
			}
		}
	}
	for _, h := range c.model.hosts {
		c.linksSeen(h)
	}
	c.renewProbes()
	c.forgetStrays()
	c.announceLanes()
	for _, g := range c.model.gateways {
		c.lanesMoved(g)
	}
	bound := 0
	for _, h := range c.model.hosts {
		bound += len(h.endpoints)
	}
	c.metrics.endpoints.Set(float64(bound))
}
