package controller

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/rs/zerolog"
)

// neighbourTable is what is known of an external network's machines.
type neighbourTable = map[netip.Addr]topology.MAC

// rememberer stores neighbours behind the loop's back, since the loop must not wait
// for the store. Only the newest table of an external network counts.
type rememberer struct {
	intent Intent
	log    zerolog.Logger
	wake   chan struct{}

	mu   sync.Mutex
	todo map[string]neighbourTable
	// busy is how many tables are being stored; done is told when there are none.
	busy int
	done func()
}

func newRememberer(intent Intent, log zerolog.Logger, done func()) *rememberer {
	return &rememberer{intent: intent, log: log, wake: make(chan struct{}, 1), todo: map[string]neighbourTable{}, done: done}
}

func (r *rememberer) keep(tables map[string]neighbourTable) {
	if len(tables) == 0 {
		return
	}
	r.mu.Lock()
	maps.Copy(r.todo, tables)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *rememberer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		r.mu.Lock()
		todo := r.todo
		r.todo, r.busy = map[string]neighbourTable{}, len(todo)
		r.mu.Unlock()
		for external, known := range todo {
			if err := r.intent.KeepNeighbours(ctx, external, known); err != nil && ctx.Err() == nil {
				r.log.Warn().Err(err).Msg("storing neighbours; trying again")
				r.again(ctx, external, known)
			}
		}
		r.mu.Lock()
		r.busy = 0
		r.mu.Unlock()
		r.done()
	}
}

// unstored is how many tables are not stored yet.
func (r *rememberer) unstored() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.todo) + r.busy
}

// again puts back what could not be stored, unless there is news of it.
func (r *rememberer) again(ctx context.Context, external string, known neighbourTable) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(time.Second):
	}
	r.mu.Lock()
	_, newer := r.todo[external]
	r.mu.Unlock()
	if !newer {
		r.keep(map[string]neighbourTable{external: known})
	}
}

// recall gives a new external network the neighbours that it had.
func (c *Controller) recall(x *external) {
	for a, mac := range c.remembered[x.key.Name] {
		n := &neighbour{addr: a, mac: mac, interval: askFirst, next: c.now().Add(askFirst)}
		x.neighbours[a] = n
		c.tendAt = time.Time{}
		x.recalled = append(x.recalled, n)
	}
	delete(c.remembered, x.key.Name)
}

// forgetRemembered forgets the neighbours of external networks that were deleted while
// no controller ran: another one of the name is not to begin with them.
func (c *Controller) forgetRemembered() {
	for name := range c.remembered {
		c.forgotten = append(c.forgotten, name)
	}
	c.remembered = nil
}

// How long a change of neighbours waits at least before it is stored, and for how long a
// table is left alone for each neighbour in it: who makes neighbours come and go must
// not make the store busy.
const (
	keepSoon = 50 * time.Millisecond
	keepEach = 5 * time.Millisecond
)

// keepNeighbours stores the tables that have to be, and returns when the next one has to be;
// the zero time means never.
func (c *Controller) keepNeighbours(r *rememberer) (next time.Time) {
	r.keep(c.changedNeighbours())
	waiting := r.unstored()
	for _, x := range c.model.externals {
		if x.keep {
			waiting++
			next = earliest(next, x.keepAt)
		}
	}
	c.metrics.unstored.Set(float64(waiting))
	return next
}

// changedNeighbours are the tables that have to be stored now.
func (c *Controller) changedNeighbours() map[string]neighbourTable {
	now := c.now()
	tables := map[string]neighbourTable{}
	for _, name := range c.forgotten {
		tables[name] = nil
	}
	c.forgotten = nil
	for _, x := range c.model.externals {
		if !x.keep || x.keepAt.After(now) {
			continue
		}
		x.keep, x.keepAt = false, now.Add(keepSoon+keepEach*time.Duration(len(x.neighbours)))
		known := neighbourTable{}
		for a, n := range x.neighbours {
			if n.known() {
				known[a] = n.mac
			}
		}
		tables[x.key.Name] = known
	}
	return tables
}
