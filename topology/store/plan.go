package store

import (
	"context"
	"fmt"

	"github.com/dovetail-sdn/dovetail/topology"
)

// Plan says what Apply would do now, without doing it: it returns what Apply would,
// except that objects that would change have no new Revision (it is 0), and that
// datapath ids of new hosts are drawn anew by Apply.
func (s *Store) Plan(ctx context.Context, changes []Change) ([]topology.Object, error) {
	_, rev, err := s.isFresh(ctx, s.Revision())
	if err == nil {
		err = s.waitFor(ctx, rev)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the newest state from etcd: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	draft, err := s.state.Try(withKeys(changes), environment())
	if err != nil {
		return nil, err
	}
	draft.Undo()
	return draft.Objects, nil
}
