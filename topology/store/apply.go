package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// What is merged into one transaction at most.
const (
	maxMerged        = 512   // requests
	maxMergedChanges = 4_000 // changes, unless one request alone has more
)

// request is one Apply under way.
type request struct {
	ctx     context.Context
	changes []Change
	reply   chan result // holds one
}

type result struct {
	objects []topology.Object
	err     error
}

// Apply commits all changes or none, and returns the objects as they are now, in
// the order of changes (nil for a deletion). The order of changes does not matter,
// and no object may be there twice. A put that changes nothing writes nothing.
//
// Errors are the types of package topology if the changes cannot be accepted. After
// any other error, a context's for instance, the changes may have been committed.
// When Apply returns, Get and List of this Store see the changes.
func (s *Store) Apply(ctx context.Context, changes []Change) ([]topology.Object, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	r := &request{ctx: ctx, changes: withKeys(changes), reply: make(chan result, 1)}
	select {
	case s.applies <- r:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.closing.Done():
		return nil, ErrClosed
	}
	select {
	case res := <-r.reply:
		return res.objects, res.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.closing.Done():
		return nil, ErrClosed
	}
}

func withKeys(changes []Change) []Change {
	out := make([]Change, len(changes))
	for i, ch := range changes {
		if ch.Key == (topology.Key{}) && ch.Object != nil {
			ch.Key = ch.Object.Key()
		}
		out[i] = ch
	}
	return out
}

// RegisterHost creates a host, or takes in what it now says of itself. The
// DatapathID and the ID in a are ignored: they are chosen once. Nothing is written if nothing changed.
func (s *Store) RegisterHost(ctx context.Context, name string, a topology.HostAllocation) (*topology.Host, error) {
	key := topology.Key{Kind: topology.KindHost, Name: name}
	objects, err := s.Apply(ctx, []Change{{Op: topology.OpRegister, Key: key, Object: &topology.Host{Allocated: a}}})
	if err != nil {
		return nil, err
	}
	return objects[0].(*topology.Host), nil
}

// commitLoop merges what callers want to be applied. While one transaction is on
// its way, the next requests gather.
func (s *Store) commitLoop() {
	var pending []*request
	for {
		if len(pending) == 0 {
			select {
			case r := <-s.applies:
				pending = append(pending, r)
			case <-s.closing.Done():
				return
			}
		}
		pending = s.gather(pending)
		var batch []*request
		batch, pending = pick(pending)
		s.process(batch)
		if s.closing.Err() != nil {
			return
		}
	}
}

func (s *Store) gather(pending []*request) []*request {
	for len(pending) < maxMerged {
		select {
		case r := <-s.applies:
			pending = append(pending, r)
		default:
			return pending
		}
	}
	return pending
}

// pick chooses the requests of one transaction. Two that touch the same object do
// not go together, since every version of an object has its own revision.
func pick(pending []*request) (batch, rest []*request) {
	touched := map[topology.Key]struct{}{}
	for _, r := range pending {
		free := len(batch) == 0 || len(touched)+len(r.changes) <= maxMergedChanges
		for i := 0; i < len(r.changes) && free; i++ {
			_, taken := touched[r.changes[i].Key]
			free = !taken
		}
		if !free {
			rest = append(rest, r)
			continue
		}
		for _, ch := range r.changes {
			touched[ch.Key] = struct{}{}
		}
		batch = append(batch, r)
	}
	return batch, rest
}

// environment is what validation needs of the world, now.
func environment() topology.Env {
	return topology.Env{Now: time.Now().UTC().Truncate(time.Millisecond), Random: random}
}

func random() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

func (r *request) fail(err error) { r.reply <- result{err: err} }

// failAll answers all requests with an error that is not their fault.
func failAll(batch []*request, err error) {
	for _, r := range batch {
		r.fail(fmt.Errorf("committing to etcd: %w", err))
	}
}
