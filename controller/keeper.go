package controller

import (
	"context"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
	"github.com/rs/zerolog"
)

// keeper stores bindings behind the loop's back, since the loop must not wait
// for the store. Only the newest binding of an endpoint counts.
type keeper struct {
	intent Intent
	log    zerolog.Logger
	todo   chan map[topology.Key]store.BindingChange // holds one, under construction
	wake   chan struct{}
}

func newKeeper(intent Intent, log zerolog.Logger) *keeper {
	k := &keeper{intent: intent, log: log, todo: make(chan map[topology.Key]store.BindingChange, 1), wake: make(chan struct{}, 1)}
	k.todo <- map[topology.Key]store.BindingChange{}
	return k
}

func (k *keeper) keep(changes []store.BindingChange) {
	if len(changes) == 0 {
		return
	}
	m := <-k.todo
	for _, ch := range changes {
		m[ch.Endpoint] = ch
	}
	k.todo <- m
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		}
		m := <-k.todo
		k.todo <- map[topology.Key]store.BindingChange{}
		changes := make([]store.BindingChange, 0, len(m))
		for _, ch := range m {
			changes = append(changes, ch)
		}
		if err := k.intent.Bind(ctx, changes); err != nil && ctx.Err() == nil {
			k.log.Warn().Err(err).Int("bindings", len(changes)).Msg("storing bindings; trying again")
			k.retry(ctx, m)
		}
	}
}

// retry puts back what could not be stored, unless there is news of it.
func (k *keeper) retry(ctx context.Context, failed map[topology.Key]store.BindingChange) {
	m := <-k.todo
	for key, ch := range failed {
		if _, newer := m[key]; !newer {
			m[key] = ch
		}
	}
	k.todo <- m
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}
