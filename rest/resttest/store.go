// Package resttest has an intent and a realization in memory, for tests of what
// talks to the API.
package resttest

import (
	"context"
	"sync"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

// Store is a rest.Intent and a rest.Planner with topology's rules and without
// etcd. The zero value is empty and ready. Objects are created at Since, datapath
// ids count from 1.
type Store struct {
	mu        sync.Mutex
	state     *topology.State
	rev       int64
	datapaths uint64
	down      error
}

// SetDown makes every write fail from now on, or work again with nil.
func (s *Store) SetDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

// Health implements rest.Intent.
func (s *Store) Health(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// all returns the state, with s.mu held.
func (s *Store) all() *topology.State {
	if s.state == nil {
		s.state = topology.NewState()
	}
	return s.state
}

// Get implements rest.Intent.
func (s *Store) Get(key topology.Key) (topology.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.all().Get(key); o != nil {
		return o, nil
	}
	return nil, &topology.NotFoundError{Key: key}
}

// List implements rest.Intent.
func (s *Store) List(kind topology.Kind, tenant string) []topology.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all().List(kind, tenant)
}

// Apply implements rest.Intent.
func (s *Store) Apply(ctx context.Context, changes []store.Change) ([]topology.Object, error) {
	return s.try(ctx, changes, func(d *topology.Draft) {
		s.rev++
		for _, e := range d.Edits {
			if e.After != nil {
				e.After.Meta().Revision = s.rev
			}
		}
	})
}

// Plan implements rest.Planner.
func (s *Store) Plan(ctx context.Context, changes []store.Change) ([]topology.Object, error) {
	return s.try(ctx, changes, (*topology.Draft).Undo)
}

func (s *Store) try(ctx context.Context, changes []store.Change, then func(*topology.Draft)) ([]topology.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return nil, s.down
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := s.all().Try(changes, topology.Env{Now: Since, Random: func() uint64 { s.datapaths++; return s.datapaths }})
	if err != nil {
		return nil, err
	}
	then(d)
	return d.Objects, nil
}

// Since is when everything happened.
var Since = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
