package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// maxBound is how many bindings go into one transaction.
const maxBound = 2_000

// Bind stores last known places of endpoints. Bindings need no validation and do
// not touch their tenants' guards: the newest one wins. What concerns an endpoint
// or a host that does not exist any more is no error: such an endpoint has no
// binding, and a binding to such a host is forgotten.
func (s *Store) Bind(ctx context.Context, changes []BindingChange) error {
	for len(changes) > 0 {
		n := min(len(changes), maxBound)
		if err := s.bind(ctx, changes[:n]); err != nil {
			return fmt.Errorf("storing bindings in etcd: %w", err)
		}
		changes = changes[n:]
	}
	return nil
}

func (s *Store) bind(ctx context.Context, changes []BindingChange) error {
	newest := int64(math.MaxInt64) // that etcd told; not asked yet
	for attempt := range maxAttempts {
		compares, ops, base, missing, err := s.bindOps(changes)
		if err != nil {
			return err
		}
		if missing && base < newest {
			// That something does not exist only counts on a state that is new enough.
			var fresh bool
			if fresh, newest, err = s.isFresh(ctx, base); err != nil {
				return err
			}
			if !fresh {
				if err := s.waitFor(ctx, newest); err != nil {
					return err
				}
				continue
			}
		}
		if len(ops) == 0 {
			return nil
		}
		ops = append(ops, clientv3.OpPut(headKey, ""))
		resp, err := s.cli.Txn(ctx).If(compares...).Then(ops...).Else(clientv3.OpGet(headKey)).Commit()
		if err != nil {
			return s.bindHalves(ctx, changes, err)
		}
		if resp.Succeeded {
			return s.waitFor(ctx, resp.Header.Revision)
		}
		for _, kv := range resp.Responses[0].GetResponseRange().Kvs {
			if err := s.waitFor(ctx, kv.ModRevision); err != nil {
				return err
			}
		}
		s.pause(attempt)
	}
	return errors.New("endpoints and hosts are changing too fast; try again")
}

// bindHalves tries again in parts if a cluster with other limits than ours finds
// the transaction too large.
func (s *Store) bindHalves(ctx context.Context, changes []BindingChange, err error) error {
	if len(changes) < 2 || !errors.Is(err, rpctypes.ErrTooManyOps) && !errors.Is(err, rpctypes.ErrRequestTooLarge) {
		return err
	}
	half := len(changes) / 2
	if err := s.bind(ctx, changes[:half]); err != nil {
		return err
	}
	return s.bind(ctx, changes[half:])
}

// bindOps makes the transaction. base is the revision of the state that it is based
// on; missing says that endpoints or hosts are not in it.
func (s *Store) bindOps(changes []BindingChange) (compares []clientv3.Cmp, ops []clientv3.Op, base int64, missing bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	hosts, newest := map[string]bool{}, map[topology.Key]*topology.Binding{}
	for _, ch := range changes {
		newest[ch.Endpoint] = ch.Binding
	}
	for endpoint, b := range newest {
		old := s.state.Binding(endpoint)
		gone := s.state.Get(endpoint) == nil
		if b != nil && s.state.Get(topology.Key{Kind: topology.KindHost, Name: b.Host}) == nil {
			b, missing = nil, true
		}
		missing = missing || gone
		switch {
		case gone || old == nil && b == nil || old != nil && b != nil && sameBinding(old, b):
			continue
		case b == nil:
			ops = append(ops, clientv3.OpDelete(bindingKey(endpoint)))
			continue
		}
		stored := *b
		stored.Endpoint, stored.Since = endpoint, b.Since.UTC()
		value, err := json.Marshal(stored)
		if err != nil {
			return nil, nil, 0, false, fmt.Errorf("encoding the binding of %s: %w", endpoint, err)
		}
		ops = append(ops, clientv3.OpPut(bindingKey(endpoint), string(value)))
		compares = append(compares, exists(objectKey(endpoint)))
		hosts[b.Host] = true
	}
	for h := range hosts {
		compares = append(compares, exists(objectKey(topology.Key{Kind: topology.KindHost, Name: h})))
	}
	return compares, ops, s.revision, missing, nil
}

func exists(key string) clientv3.Cmp { return clientv3.Compare(clientv3.CreateRevision(key), ">", 0) }

func sameBinding(a, b *topology.Binding) bool {
	x, y := *a, *b
	x.Since, y.Since = time.Time{}, time.Time{}
	x.Endpoint = y.Endpoint
	return x == y && a.Since.Equal(b.Since)
}
