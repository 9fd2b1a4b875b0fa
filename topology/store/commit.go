package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// maxAttempts is how often a request is tried again because another controller
	// committed first. Each time, somebody else made progress.
	maxAttempts = 50
	// commitTimeout bounds one transaction.
	commitTimeout = 30 * time.Second
)

// outcome is what validation said of one request.
type outcome struct {
	*request
	objects []topology.Object
	err     error
	writes  bool
}

// process commits the requests, each as a whole or not at all, and answers them.
//
// What is refused, or changes nothing, is answered from a state that was the newest
// at some time after the request came in: one that has the revision that etcd told
// then, or a later one.
func (s *Store) process(batch []*request) {
	newest := int64(math.MaxInt64) // that etcd told; not asked yet
	for attempt := 0; len(batch) > 0; attempt++ {
		outcomes, tx, base := s.plan(batch)
		var err error
		batch, newest, err = s.settle(outcomes, tx, base, base >= newest, attempt >= maxAttempts)
		if err != nil {
			s.commitFailed(batch, err)
			return
		}
		if len(batch) > 0 && attempt > 0 {
			s.pause(attempt)
		}
	}
}

// plan validates the requests in sequence, each on what those before it lead to,
// and makes one transaction of the valid ones. base is the revision of the state
// that it was all based on.
func (s *Store) plan(batch []*request) (outcomes []outcome, tx *txn, base int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx = &txn{base: s.revision}
	env := environment()
	var drafts []*topology.Draft
	for _, r := range batch {
		if err := r.ctx.Err(); err != nil {
			r.fail(context.Cause(r.ctx))
			continue
		}
		d, err := s.state.Try(r.changes, env)
		if err != nil {
			outcomes = append(outcomes, outcome{request: r, err: err})
			continue
		}
		drafts = append(drafts, d)
		tx.edits = append(tx.edits, d.Edits...)
		outcomes = append(outcomes, outcome{request: r, objects: d.Objects, writes: len(d.Edits) > 0})
	}
	for i := len(drafts) - 1; i >= 0; i-- {
		drafts[i].Undo()
	}
	tx.note(s.guards)
	return outcomes, tx, s.revision
}

// settle commits and answers those requests that are decided. It returns the rest,
// which must be planned again because the state was too old; with an error, those
// that could not be committed. current says that base is known to be new enough,
// last that this is the last attempt. newest is the revision that etcd told.
func (s *Store) settle(outcomes []outcome, tx *txn, base int64, current, last bool) (again []*request, newest int64, err error) {
	committed, newest := true, base
	if len(tx.edits) > 0 {
		var fresh bool
		committed, fresh, newest, err = s.commit(tx, base)
		current = current || fresh
	} else if !current {
		current, newest, err = s.isFresh(s.closing, base)
	}
	if err == nil {
		err = s.waitFor(s.closing, newest)
	}
	for _, o := range outcomes {
		switch {
		case err != nil:
			again = append(again, o.request)
		case o.writes && committed:
			o.reply <- result{objects: withRevision(o.objects, newest)}
		case o.writes && last:
			o.fail(errors.New("too many others are changing the same tenant; try again"))
		case o.writes || !current || !committed && !last:
			// If nothing was committed, even a refusal may be because of another
			// request of this batch.
			again = append(again, o.request)
		default:
			o.reply <- result{objects: o.objects, err: o.err}
		}
	}
	return again, newest, err
}

// withRevision sets the revision of those objects that were just committed.
func withRevision(objects []topology.Object, rev int64) []topology.Object {
	for _, o := range objects {
		if o != nil && o.Meta().Revision == 0 {
			o.Meta().Revision = rev
		}
	}
	return objects
}

// commit runs the transaction. fresh says that nothing was committed between base
// and it, rev is what the state must have before anybody is answered.
func (s *Store) commit(tx *txn, base int64) (committed, fresh bool, rev int64, err error) {
	compares, ops, err := tx.build()
	if err != nil {
		return false, false, 0, err
	}
	ctx, cancel := context.WithTimeout(s.closing, commitTimeout)
	defer cancel()
	resp, err := s.cli.Txn(ctx).If(compares...).Then(ops...).Else(clientv3.OpGet(headKey)).Commit()
	if errors.Is(err, rpctypes.ErrNoSpace) {
		return false, false, 0, fmt.Errorf("%w: the database has reached its quota and takes no writes: an embedded one throws away old versions when the controller is restarted", err)
	}
	if err != nil {
		return false, false, 0, err
	}
	if !resp.Succeeded {
		kvs := resp.Responses[0].GetResponseRange().Kvs
		if len(kvs) == 0 {
			return false, false, 0, errors.New("the head key is gone; somebody is deleting the data")
		}
		return false, false, kvs[0].ModRevision, nil
	}
	before := resp.Responses[0].GetResponsePut().PrevKv // the head is written first
	fresh = before == nil && base == 0 || before != nil && before.ModRevision == base
	return true, fresh, resp.Header.Revision, nil
}

// isFresh asks etcd whether base is the newest commit, and else which is.
func (s *Store) isFresh(ctx context.Context, base int64) (bool, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	resp, err := s.cli.Get(ctx, headKey)
	if err != nil {
		return false, 0, err
	}
	if len(resp.Kvs) == 0 {
		return true, base, nil
	}
	rev := resp.Kvs[0].ModRevision
	return rev <= base, rev, nil
}

// commitFailed answers requests that etcd did not take. If it is for the size of
// the transaction, they are tried one by one.
func (s *Store) commitFailed(batch []*request, err error) {
	tooLarge := errors.Is(err, rpctypes.ErrTooManyOps) || errors.Is(err, rpctypes.ErrRequestTooLarge)
	switch {
	case s.closing.Err() != nil:
		failAll(batch, ErrClosed)
	case tooLarge && len(batch) > 1:
		for _, r := range batch {
			s.process([]*request{r})
		}
	case tooLarge:
		failAll(batch, fmt.Errorf("%d changes are too many for one etcd transaction: apply them in parts, or start etcd with --max-txn-ops=100000 --max-request-bytes=67108864 (%w)", len(batch[0].changes), err))
	default:
		failAll(batch, err)
	}
}

// pause lets contending controllers get out of step.
func (s *Store) pause(attempt int) {
	limit := min(time.Millisecond<<min(attempt, 6), 50*time.Millisecond)
	select {
	case <-s.closing.Done():
	case <-time.After(mathrand.N(limit)):
	}
}
