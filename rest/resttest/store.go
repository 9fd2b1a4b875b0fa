// Package resttest has an intent and a realization in memory, for tests of what
// talks to the API. They know just enough rules to give every kind of error.
package resttest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

// Store is a rest.Intent. The zero value is empty and ready.
type Store struct {
	mu   sync.Mutex
	objs map[topology.Key]topology.Object
	rev  int64
	down error
	// OnCommit, if set before use, is called after each commit.
	OnCommit func(keys []topology.Key)
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

// Get implements rest.Intent.
func (s *Store) Get(key topology.Key) (topology.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objs[key]; o != nil {
		return o, nil
	}
	return nil, &topology.NotFoundError{Key: key}
}

// List implements rest.Intent.
func (s *Store) List(kind topology.Kind, tenant string) []topology.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []topology.Object
	for k, o := range s.objs {
		if k.Kind == kind && (tenant == "" || k.Tenant == tenant) {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b topology.Object) int {
		return cmp.Or(cmp.Compare(a.Meta().Tenant, b.Meta().Tenant), cmp.Compare(a.Meta().Name, b.Meta().Name))
	})
	return list
}

// Apply implements rest.Intent.
func (s *Store) Apply(ctx context.Context, changes []store.Change) ([]topology.Object, error) {
	out, err := s.apply(ctx, changes, true)
	if err == nil && s.OnCommit != nil {
		keys := make([]topology.Key, len(changes))
		for i, c := range changes {
			keys[i] = c.Key
		}
		s.OnCommit(keys)
	}
	return out, err
}

// Plan implements rest.Planner.
func (s *Store) Plan(ctx context.Context, changes []store.Change) ([]topology.Object, error) {
	return s.apply(ctx, changes, false)
}

func (s *Store) apply(ctx context.Context, changes []store.Change, commit bool) ([]topology.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return nil, s.down
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	next := maps.Clone(s.objs)
	if next == nil {
		next = map[topology.Key]topology.Object{}
	}
	out := make([]topology.Object, len(changes))
	for i, c := range changes {
		var err error
		if out[i], err = change(next, c, s.rev+1); err != nil {
			return nil, err
		}
	}
	if commit {
		s.objs = next
		s.rev++
	}
	return out, nil
}

func change(objs map[topology.Key]topology.Object, c store.Change, rev int64) (topology.Object, error) {
	old := objs[c.Key]
	switch {
	case c.IfRevision == nil:
	case *c.IfRevision == 0 && old != nil:
		return nil, &topology.ExistsError{Key: c.Key}
	case *c.IfRevision != 0 && old == nil:
		return nil, &topology.NotFoundError{Key: c.Key}
	case *c.IfRevision != 0 && old.Meta().Revision != *c.IfRevision:
		return nil, &topology.StaleError{Key: c.Key, Have: *c.IfRevision, Now: old.Meta().Revision}
	}
	if c.Op == store.OpDelete {
		if old == nil {
			return nil, &topology.NotFoundError{Key: c.Key}
		}
		if by := referrers(objs, c.Key); by != nil {
			return nil, &topology.ReferencedError{Key: c.Key, By: by}
		}
		delete(objs, c.Key)
		return nil, nil
	}
	o := c.Object.Clone()
	if err := check(objs, o); err != nil {
		return nil, err
	}
	allocate(o, len(objs))
	m := o.Meta()
	m.Revision, m.Created = rev, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if old != nil {
		was := old.Clone()
		was.Meta().Revision = rev
		was.Meta().Created = m.Created
		keep(o, old)
		if reflect.DeepEqual(was, o) {
			return old, nil
		}
	}
	objs[c.Key] = o
	return o, nil
}

func referrers(objs map[topology.Key]topology.Object, key topology.Key) []topology.Key {
	var by []topology.Key
	for k, o := range objs {
		e, isEndpoint := o.(*topology.Endpoint)
		switch {
		case key.Kind == topology.KindTenant && k.Tenant == key.Name, isEndpoint && e.NetworkKey() == key:
			by = append(by, k)
		}
	}
	slices.SortFunc(by, func(a, b topology.Key) int { return cmp.Compare(a.String(), b.String()) })
	return by
}

func check(objs map[topology.Key]topology.Object, o topology.Object) error {
	k := o.Key()
	if k.Tenant != "" && objs[topology.Key{Kind: topology.KindTenant, Name: k.Tenant}] == nil {
		return &topology.NotFoundError{Key: topology.Key{Kind: topology.KindTenant, Name: k.Tenant}}
	}
	switch v := o.(type) {
	case *topology.Network:
		for i, sub := range v.Spec.Subnets {
			if sub.Gateway.IsValid() && !sub.CIDR.Contains(sub.Gateway) {
				return &topology.InvalidError{Key: k, Field: fmt.Sprintf("spec.subnets[%d].gateway", i), Reason: fmt.Sprintf("%s is not in %s", sub.Gateway, sub.CIDR)}
			}
		}
	case *topology.Endpoint:
		if objs[v.NetworkKey()] == nil {
			return &topology.InvalidError{Key: k, Field: "spec.network", Reason: fmt.Sprintf("%s does not exist: create it first", v.NetworkKey())}
		}
		for ok, other := range objs {
			e, isEndpoint := other.(*topology.Endpoint)
			if isEndpoint && ok != k && e.NetworkKey() == v.NetworkKey() {
				for i, a := range v.Spec.Addresses {
					if slices.Contains(e.Allocated.Addresses, a) {
						return &topology.ConflictError{Key: k, Field: fmt.Sprintf("spec.addresses[%d]", i), Reason: a.String() + " is taken", Holder: ok}
					}
				}
			}
		}
	}
	return nil
}

func allocate(o topology.Object, n int) {
	switch v := o.(type) {
	case *topology.Network:
		v.Allocated = topology.NetworkAllocation{VNI: cmp.Or(v.Spec.VNI, uint32(100+n)), MTU: cmp.Or(v.Spec.MTU, 1450)}
		for _, sub := range v.Spec.Subnets {
			if !sub.Gateway.IsValid() {
				sub.Gateway = sub.CIDR.Addr().Next()
			}
			v.Allocated.Subnets = append(v.Allocated.Subnets, sub)
		}
	case *topology.Router:
		v.Allocated.ID = uint32(n)
	case *topology.Endpoint:
		v.Allocated = topology.EndpointAllocation{
			Addresses: v.Spec.Addresses, MAC: topology.MAC{2, 0, 0, 0, 0, byte(n)},
			InterfaceID: cmp.Or(v.Spec.InterfaceID, v.Metadata.Tenant+"/"+v.Metadata.Name),
		}
		if len(v.Spec.Addresses) == 0 {
			v.Allocated.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + n)})}
		}
	case *topology.Host:
		v.Allocated = topology.HostAllocation{DatapathID: 0xd07e000000000000 | uint64(n), EncapIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), Hostname: v.Metadata.Name + ".example"}
	}
}

// keep carries over what was allocated.
func keep(o, old topology.Object) {
	switch v := o.(type) {
	case *topology.Network:
		v.Allocated.VNI = old.(*topology.Network).Allocated.VNI
	case *topology.Router:
		v.Allocated = old.(*topology.Router).Allocated
	case *topology.Endpoint:
		was := old.(*topology.Endpoint)
		if len(v.Spec.Addresses) == 0 {
			v.Allocated.Addresses = was.Allocated.Addresses
		}
		v.Allocated.MAC = was.Allocated.MAC
	case *topology.Host:
		v.Allocated = old.(*topology.Host).Allocated
	}
}
