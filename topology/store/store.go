package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/rs/zerolog"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrClosed is returned by what is called on, or was waiting for, a closed Store.
var ErrClosed = errors.New("the store is closed")

// Store is the intent in etcd, with a copy in memory. Its methods are safe for
// concurrent use.
type Store struct {
	cli *clientv3.Client
	log zerolog.Logger

	applies chan *request
	closing context.Context // ended by Close
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu       sync.RWMutex // guards what follows
	state    *topology.State
	guards   map[string]int64 // revisions of the guard keys
	revision int64            // of the newest commit in state
	moved    chan struct{}    // closed and replaced when revision moves
	watchers map[*Watcher]struct{}
}

// Open loads the intent and follows it until Close. The client stays the caller's.
func Open(ctx context.Context, cli *clientv3.Client, log zerolog.Logger) (*Store, error) {
	if err := checkSchema(ctx, cli); err != nil {
		return nil, err
	}
	closing, stop := context.WithCancel(context.Background())
	s := &Store{
		cli: cli, log: log, applies: make(chan *request, maxMerged), closing: closing, stop: stop,
		state: topology.NewState(), guards: map[string]int64{}, moved: make(chan struct{}), watchers: map[*Watcher]struct{}{},
	}
	rev, err := s.resync(ctx, true)
	if err != nil {
		stop()
		return nil, fmt.Errorf("loading the intent from etcd: %w", err)
	}
	s.done.Go(func() { s.follow(rev) })
	s.done.Go(s.commitLoop)
	return s, nil
}

// Close ends following and waits for it. What is being committed may or may not be.
func (s *Store) Close() {
	s.stop()
	s.done.Wait()
}

// checkSchema makes sure that the layout is one that we know.
func checkSchema(ctx context.Context, cli *clientv3.Client) error {
	mine := strconv.Itoa(schemaVersion)
	// Looking is no write: a database that is full takes none.
	if got, err := cli.Get(ctx, schemaKey); err == nil && len(got.Kvs) == 1 && string(got.Kvs[0].Value) == mine {
		return nil
	}
	resp, err := cli.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(schemaKey), "=", 0)).
		Then(clientv3.OpPut(schemaKey, mine)).Else(clientv3.OpGet(schemaKey)).Commit()
	if err != nil {
		return fmt.Errorf("reading the schema version from etcd: %w", err)
	}
	if resp.Succeeded {
		return nil
	}
	if kvs := resp.Responses[0].GetResponseRange().Kvs; len(kvs) == 1 && string(kvs[0].Value) != mine {
		return schemaError(string(kvs[0].Value))
	}
	return nil
}

func schemaError(found string) error {
	return fmt.Errorf("the data was written by another version of dovetail (schema %q, this one reads %d): run that version or a newer one, or start with an empty data folder", found, schemaVersion)
}

// Get returns an object or a *topology.NotFoundError. The object is shared.
func (s *Store) Get(key topology.Key) (topology.Object, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if o := s.state.Get(key); o != nil {
		return o, nil
	}
	return nil, &topology.NotFoundError{Key: key}
}

// List returns the objects of a kind, sorted by tenant and name; tenant "" means
// all. The objects are shared, the slice is the caller's.
func (s *Store) List(kind topology.Kind, tenant string) []topology.Object {
	s.mu.Lock() // listing sorts in place
	defer s.mu.Unlock()
	return s.state.List(kind, tenant)
}

// Binding returns the last known place of an endpoint; false if there is none.
func (s *Store) Binding(endpoint topology.Key) (topology.Binding, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if b := s.state.Binding(endpoint); b != nil {
		return *b, true
	}
	return topology.Binding{}, false
}

// Bindings returns the last known places of all endpoints, sorted by endpoint.
func (s *Store) Bindings() []topology.Binding {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := s.state.Bindings()
	out := make([]topology.Binding, len(list))
	for i, b := range list {
		out[i] = *b
	}
	return out
}

// Revision is that of the newest commit in memory. It rises with every commit.
func (s *Store) Revision() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.revision
}

// Health is an error while the store cannot be written.
func (s *Store) Health(ctx context.Context) error {
	if s.closing.Err() != nil {
		return ErrClosed
	}
	if _, err := s.cli.Get(ctx, schemaKey); err != nil {
		return fmt.Errorf("etcd does not answer: %w", err)
	}
	alarms, err := s.cli.AlarmList(ctx)
	if err != nil {
		return fmt.Errorf("asking etcd for alarms: %w", err)
	}
	for _, a := range alarms.Alarms {
		return fmt.Errorf("etcd member %x has raised the alarm %s", a.MemberID, a.Alarm)
	}
	return nil
}

// waitFor waits until the state in memory has the revision.
func (s *Store) waitFor(ctx context.Context, revision int64) error {
	for {
		s.mu.RLock()
		now, moved := s.revision, s.moved
		s.mu.RUnlock()
		if now >= revision {
			return nil
		}
		select {
		case <-moved:
		case <-s.closing.Done():
			return ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
