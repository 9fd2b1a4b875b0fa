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
}

func newRememberer(intent Intent, log zerolog.Logger) *rememberer {
	return &rememberer{intent: intent, log: log, wake: make(chan struct{}, 1), todo: map[string]neighbourTable{}}
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
		r.todo = map[string]neighbourTable{}
		r.mu.Unlock()
		for external, known := range todo {
			if err := r.intent.KeepNeighbours(ctx, external, known); err != nil && ctx.Err() == nil {
				r.log.Warn().Err(err).Msg("storing neighbours; trying again")
				r.again(ctx, external, known)
			}
		}
	}
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

// changedNeighbours are the tables that have to be stored.
func (c *Controller) changedNeighbours() map[string]neighbourTable {
	tables := map[string]neighbourTable{}
	for _, name := range c.forgotten {
		tables[name] = nil
	}
	c.forgotten = nil
	for _, x := range c.model.externals {
		if !x.keep {
			continue
		}
		x.keep = false
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
