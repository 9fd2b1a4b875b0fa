package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

// decodeBody fills a fresh object from the tree of a request's body. What the
// answer has besides metadata and spec is ignored, so that what was read can be
// changed and put back.
func (d kindDef[B]) decodeBody(tree any, key topology.Key) (topology.Object, *Problem) {
	obj := topology.New(d.kind)
	var dec decoder
	if _, isObject := tree.(map[string]any); !isObject {
		dec.fail("body", tree, "must be an object with metadata and spec, not %s", jsonType(tree))
		return nil, invalid(dec.errs...)
	}
	var kind string
	dec.fields("body", tree, map[string]reflect.Value{
		"kind":     reflect.ValueOf(&kind).Elem(),
		"metadata": reflect.ValueOf(obj.Meta()).Elem(),
		"spec":     reflect.ValueOf(topology.SpecOf(obj)).Elem(),
		"status":   {},
	})
	same := func(field, have, want string) {
		if have != "" && have != want {
			dec.fail("body."+field, have, "must be %q, as in the path, or be left out", want)
		}
	}
	meta := obj.Meta()
	same("kind", kind, string(key.Kind))
	same("metadata.name", meta.Name, key.Name)
	same("metadata.tenant", meta.Tenant, key.Tenant)
	if dec.errs != nil {
		return nil, invalid(dec.errs...)
	}
	*meta = topology.Metadata{Name: key.Name, Tenant: key.Tenant, Labels: meta.Labels}
	return obj, nil
}

// patched is an object changed by a merge patch.
func (d kindDef[B]) patched(now topology.Object, patch any, key topology.Key) (topology.Object, *Problem) {
	meta := now.Meta()
	b, err := json.Marshal(map[string]any{
		"metadata": topology.Metadata{Name: meta.Name, Tenant: meta.Tenant, Labels: meta.Labels},
		"spec":     topology.SpecOf(now),
	})
	if err != nil {
		return nil, problem(http.StatusInternalServerError, "internal", "Internal error", "%v", err)
	}
	tree, err := topology.ParseJSON(b)
	if err != nil {
		return nil, problem(http.StatusInternalServerError, "internal", "Internal error", "%v", err)
	}
	return d.decodeBody(mergePatch(tree, patch), key)
}

// basis says whether a write depends on what there was before.
type basis int

const (
	fromNothing basis = iota // PUT
	fromNow                  // PATCH
)

// maxAttempts bounds how often a write that lost against another one is repeated.
// Each time it loses, another writer has won.
const maxAttempts = 1000

// commit writes one object: make gets what there is, nil if nothing, and returns
// what shall be. It repeats itself when somebody else was faster, unless cond says
// that the object must not have changed. created says whether the object is new.
func (s *server) commit(ctx context.Context, key topology.Key, cond precondition, from basis,
	mk func(now topology.Object) (topology.Object, *Problem)) (obj topology.Object, created bool, p *Problem) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CommitTimeout)
	defer cancel()
	var err error
	for attempt := range maxAttempts {
		now, p := s.lookup(key)
		if p != nil {
			return nil, false, p
		}
		if p := cond.check(key, now); p != nil {
			return nil, false, p
		}
		wish, p := mk(now)
		if p != nil {
			return nil, false, p
		}
		change := store.Change{Op: store.OpPut, Key: key, Object: wish, IfRevision: new(int64)}
		if now != nil {
			*change.IfRevision = now.Meta().Revision
			if from == fromNothing && !cond.mustExist && cond.revisions == nil {
				change.IfRevision = nil // the last writer wins, without a race to lose
			}
		}
		var objs []topology.Object
		objs, err = s.cfg.Intent.Apply(ctx, []store.Change{change})
		if err == nil {
			return objs[0], now == nil, nil
		}
		if !lostRace(err, key) {
			break
		}
		pause(ctx, time.Duration(min(attempt, 20))*time.Millisecond)
	}
	return nil, false, s.commitProblem(ctx, err, bodyLocation)
}

// lostRace says whether another writer changed the object between reading and
// writing it.
func lostRace(err error, key topology.Key) bool {
	var (
		stale   *topology.StaleError
		exists  *topology.ExistsError
		missing *topology.NotFoundError
	)
	return errors.As(err, &stale) && stale.Key == key || errors.As(err, &exists) && exists.Key == key ||
		errors.As(err, &missing) && missing.Key == key
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// remove deletes one object.
func (s *server) remove(ctx context.Context, key topology.Key, cond precondition) *Problem {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CommitTimeout)
	defer cancel()
	change := store.Change{Op: store.OpDelete, Key: key}
	var err error
	for attempt := range maxAttempts {
		now, p := s.get(key)
		if p != nil {
			return p
		}
		if p := cond.check(key, now); p != nil {
			return p
		}
		if cond.revisions != nil {
			rev := now.Meta().Revision
			change.IfRevision = &rev
		}
		_, err = s.cfg.Intent.Apply(ctx, []store.Change{change})
		if err == nil {
			return nil
		}
		var stale *topology.StaleError
		if !errors.As(err, &stale) {
			break
		}
		pause(ctx, time.Duration(min(attempt, 20))*time.Millisecond)
	}
	return s.commitProblem(ctx, err, func(k topology.Key, field string) string { return fmt.Sprintf("%s: %s", k, field) })
}
