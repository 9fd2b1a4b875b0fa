package store

import (
	"slices"

	"github.com/dovetail-sdn/dovetail/topology"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// txn is a transaction under construction. It commits only if everything that the
// guards of what it touches protect is as it was when it was planned, and what must
// be unique across tenants is free.
type txn struct {
	edits  []topology.Edit
	base   int64            // revision of the state it was planned on
	guards map[string]int64 // revisions of the guards of what is touched

	compares []clientv3.Cmp
	ops      []clientv3.Op
}

// note remembers on which revisions of guards the plan was made.
func (t *txn) note(guards map[string]int64) {
	t.guards = map[string]int64{}
	for _, e := range t.edits {
		for _, g := range editGuards(e) {
			t.guards[g] = guards[g]
		}
	}
}

// editGuards are the guards of the object as it was and as it becomes.
func editGuards(e topology.Edit) []string {
	var list []string
	for _, o := range []topology.Object{e.Before, e.After} {
		if o != nil {
			list = append(list, guards(o)...)
		}
	}
	if e.Outside {
		list = append(list, externalGuard)
	}
	return list
}

func (t *txn) build() ([]clientv3.Cmp, []clientv3.Op, error) {
	slices.SortStableFunc(t.edits, func(a, b topology.Edit) int {
		return Event{Before: a.Before, After: a.After}.order() - Event{Before: b.Before, After: b.After}.order()
	})
	t.ops = append(t.ops, clientv3.OpPut(headKey, "", clientv3.WithPrevKV()))
	t.guard()
	t.indexes()
	for _, e := range t.edits {
		if err := t.write(e); err != nil {
			return nil, nil, err
		}
	}
	return t.compares, t.ops, nil
}

func (t *txn) guard() {
	touched := map[string]bool{} // to whether it is a tenant's that is deleted
	for _, e := range t.edits {
		for _, g := range editGuards(e) {
			touched[g] = touched[g] || e.Key.Kind == topology.KindTenant && e.After == nil
		}
	}
	for name, deleted := range touched {
		key := guardKey(name)
		t.compares = append(t.compares, clientv3.Compare(clientv3.ModRevision(key), "=", t.guards[name]))
		if deleted {
			t.ops = append(t.ops, clientv3.OpDelete(key))
		} else {
			t.ops = append(t.ops, clientv3.OpPut(key, ""))
		}
	}
}

// indexes moves the index keys. One that changes hands needs no comparison: the
// guard of who gives it up says that it is still his.
func (t *txn) indexes() {
	released, acquired := map[string]bool{}, map[string]string{}
	for _, e := range t.edits {
		var before, after []string
		if e.Before != nil {
			before = indexKeys(e.Before)
		}
		if e.After != nil {
			after = indexKeys(e.After)
		}
		if slices.Equal(before, after) {
			continue
		}
		for _, k := range before {
			released[k] = true
		}
		for _, k := range after {
			acquired[k] = e.Key.String()
		}
	}
	for k, holder := range acquired {
		if !released[k] {
			t.compares = append(t.compares, clientv3.Compare(clientv3.CreateRevision(k), "=", 0))
		}
		t.ops = append(t.ops, clientv3.OpPut(k, holder))
	}
	for k := range released {
		if _, ok := acquired[k]; !ok {
			t.ops = append(t.ops, clientv3.OpDelete(k))
		}
	}
}

func (t *txn) write(e topology.Edit) error {
	key := objectKey(e.Key)
	if e.Key.Kind == topology.KindHost {
		t.compareHost(e)
	}
	if e.After == nil {
		t.ops = append(t.ops, clientv3.OpDelete(key))
		if e.Key.Kind == topology.KindEndpoint {
			t.ops = append(t.ops, clientv3.OpDelete(bindingKey(e.Key)))
		}
		return nil
	}
	value, err := encode(e.After)
	if err != nil {
		return err
	}
	t.ops = append(t.ops, clientv3.OpPut(key, value))
	return nil
}

// compareHost: hosts have no guard, each stands for itself. One that is deleted
// must have no binding, and bindings are written without a guard: so none at all
// may be newer than what was planned on.
func (t *txn) compareHost(e topology.Edit) {
	rev := int64(0)
	if e.Before != nil {
		rev = e.Before.Meta().Revision
	}
	t.compares = append(t.compares, clientv3.Compare(clientv3.ModRevision(objectKey(e.Key)), "=", rev))
	if e.After == nil {
		t.compares = append(t.compares, clientv3.Compare(clientv3.ModRevision(bindingPrefix), "<", t.base+1).WithPrefix())
	}
}
