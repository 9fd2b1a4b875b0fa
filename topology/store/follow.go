package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// This file keeps the state in memory equal to etcd. All changes of the state, our
// own commits too, come in here, in the order of their revisions.

// pageSize is how many keys are read at once when loading.
const pageSize = 10_000

// retryEvery is how long to wait before a lost watch is taken up again.
const retryEvery = 200 * time.Millisecond

// follow takes in what is committed after rev until the store is closed.
func (s *Store) follow(rev int64) {
	defer s.endWatchers()
	for s.closing.Err() == nil {
		s.watch(rev)
		rev = s.catchUp()
	}
}

// catchUp reads everything again, as often as it takes.
func (s *Store) catchUp() int64 {
	for attempt := 0; s.closing.Err() == nil; attempt++ {
		rev, err := s.resync(s.closing, false)
		if err == nil {
			return rev
		}
		if attempt == 0 {
			s.log.Warn().Err(err).Msg("reading the intent from etcd again fails; trying until it works")
		}
		select {
		case <-s.closing.Done():
		case <-time.After(retryEvery):
		}
	}
	return 0
}

// watch takes in commits after rev until the watch is lost: by compaction, or
// because etcd has no leader.
func (s *Store) watch(rev int64) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(s.closing))
	defer cancel()
	for resp := range s.cli.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(rev+1), clientv3.WithFragment()) {
		if err := resp.Err(); err != nil {
			if s.closing.Err() == nil {
				s.log.Warn().Err(err).Msg("the watch of etcd was lost; reading everything again")
			}
			return
		}
		s.takeIn(resp.Events)
	}
}

// takeIn applies events, one batch for each revision.
func (s *Store) takeIn(events []*clientv3.Event) {
	for len(events) > 0 {
		rev := events[0].Kv.ModRevision
		n := 1
		for n < len(events) && events[n].Kv.ModRevision == rev {
			n++
		}
		decoded := make([]update, 0, n)
		for _, ev := range events[:n] {
			u, err := decodeUpdate(ev.Kv, ev.Type == clientv3.EventTypeDelete)
			if err != nil {
				// Somebody else wrote into our keys. Leaving the key as it was is
				// the safest thing: nothing is torn down because of it.
				s.log.Error().Err(err).Msg("ignoring a value in etcd")
				continue
			}
			decoded = append(decoded, u)
		}
		s.commitToMemory(decoded, rev)
		events = events[n:]
	}
}

// update is one key's new value.
type update struct {
	guard   string // a tenant
	object  topology.Key
	binding topology.Key
	now     topology.Object // nil: deleted
	bound   *topology.Binding
	rev     int64 // 0: deleted
	broken  bool  // the value was not understood
}

func decodeUpdate(kv *mvccpb.KeyValue, deleted bool) (update, error) {
	key := string(kv.Key)
	u := update{rev: kv.ModRevision}
	if deleted {
		u.rev = 0
	}
	var err error
	if tenant, ok := strings.CutPrefix(key, guardPrefix); ok {
		u.guard = tenant
		return u, nil
	}
	if rest, ok := strings.CutPrefix(key, bindingPrefix); ok {
		tenant, name, _ := strings.Cut(rest, "/")
		u.binding = topology.Key{Kind: topology.KindEndpoint, Tenant: tenant, Name: name}
		if !deleted {
			u.bound, err = decodeBinding(key, kv.Value)
		}
		return u, err
	}
	if k, ok := parseObjectKey(key); ok {
		u.object = k
		if !deleted {
			u.now, err = decode(k, kv.Value, kv.ModRevision)
		}
	}
	return u, err
}

// commitToMemory applies one commit and tells the watchers.
func (s *Store) commitToMemory(updates []update, rev int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moveTo(rev, s.apply(updates))
}

// apply needs the lock. The updates are of one commit, or of several that are taken
// in as one: objects change hands only in the whole.
func (s *Store) apply(updates []update) []Event {
	var edits []topology.Edit
	var events []Event
	for _, u := range updates {
		if u.object != (topology.Key{}) {
			e := topology.Edit{Key: u.object, Before: s.state.Get(u.object), After: u.now}
			edits = append(edits, e)
			if e.Before != nil || e.After != nil {
				events = append(events, Event{Before: e.Before, After: e.After})
			}
		} else if ev, ok := s.applyOther(u); ok {
			events = append(events, ev)
		}
	}
	s.state.Apply(edits)
	return events
}

// applyOther applies what is no object.
func (s *Store) applyOther(u update) (Event, bool) {
	switch {
	case u.guard != "":
		if u.rev == 0 {
			delete(s.guards, u.guard)
		} else {
			s.guards[u.guard] = u.rev
		}
	case u.binding != (topology.Key{}):
		ev := Event{BindingBefore: s.state.Binding(u.binding), BindingAfter: u.bound}
		if u.bound != nil {
			s.state.PutBinding(u.bound)
		} else {
			s.state.RemoveBinding(u.binding)
		}
		return ev, ev.BindingBefore != nil || ev.BindingAfter != nil
	}
	return Event{}, false
}

// moveTo needs the lock.
func (s *Store) moveTo(rev int64, events []Event) {
	s.revision = rev
	close(s.moved)
	s.moved = make(chan struct{})
	for w := range s.watchers {
		w.push(Batch{Events: events, Revision: rev})
	}
}

// resync reads everything and makes the state equal to it, as one batch. It
// returns the revision that was read. strict makes a value that cannot be
// understood an error; else what was known of it before stays.
func (s *Store) resync(ctx context.Context, strict bool) (int64, error) {
	var updates []update
	var rev, head int64
	for from, more := prefix, true; more; {
		opts := []clientv3.OpOption{clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)), clientv3.WithLimit(pageSize)}
		if rev > 0 {
			opts = append(opts, clientv3.WithRev(rev))
		}
		resp, err := s.cli.Get(ctx, from, opts...)
		if err != nil {
			return 0, err
		}
		if rev == 0 {
			rev = resp.Header.Revision
		}
		for _, kv := range resp.Kvs {
			head = max(head, kv.ModRevision)
			u, err := decodeUpdate(kv, false)
			if err != nil && strict {
				return 0, err
			}
			if u.broken = err != nil; u.broken {
				s.log.Error().Err(err).Msg("ignoring a value in etcd")
			}
			updates = append(updates, u)
		}
		if more = resp.More && len(resp.Kvs) > 0; more {
			from = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
		}
	}
	s.replaceState(updates, head)
	return rev, nil
}

// replaceState makes the state what the updates say, and nothing else.
func (s *Store) replaceState(updates []update, rev int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changed []update
	guards := map[string]int64{}
	objects := map[topology.Key]struct{}{}
	bindings := map[topology.Key]struct{}{}
	for _, u := range updates {
		switch {
		case u.guard != "":
			guards[u.guard] = u.rev
		case u.broken:
			bindings[u.binding], objects[u.object] = struct{}{}, struct{}{}
		case u.bound != nil:
			bindings[u.binding] = struct{}{}
			if old := s.state.Binding(u.binding); old == nil || !sameBinding(old, u.bound) {
				changed = append(changed, u)
			}
		case u.now != nil:
			objects[u.object] = struct{}{}
			if old := s.state.Get(u.object); old == nil || old.Meta().Revision != u.rev {
				changed = append(changed, u)
			}
		}
	}
	changed = append(changed, s.gone(objects, bindings)...)
	slices.SortStableFunc(changed, func(a, b update) int { return a.order() - b.order() })
	s.guards = guards
	s.moveTo(max(rev, s.revision), s.apply(changed))
}

// gone lists what is in the state but not in the sets, as deletions.
func (s *Store) gone(objects, bindings map[topology.Key]struct{}) []update {
	var list []update
	for _, b := range s.state.Bindings() {
		if _, ok := bindings[b.Endpoint]; !ok {
			list = append(list, update{binding: b.Endpoint})
		}
	}
	for _, kind := range topology.Kinds() {
		for _, o := range s.state.List(kind, "") {
			if _, ok := objects[o.Key()]; !ok {
				list = append(list, update{object: o.Key()})
			}
		}
	}
	return list
}

// order sorts updates: deletions first, what refers to others before those; then
// the rest in the order of creation.
func (u update) order() int {
	place := afterObjects
	if u.object != (topology.Key{}) {
		place = u.object.Kind.Order()
	}
	if u.now == nil && u.bound == nil {
		return -1 - place
	}
	return place
}
