package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/google/go-cmp/cmp"
)

// Two controllers on one etcd, many writers that contradict each other: whatever
// was committed must hold together, and both must see the same.
func TestTwoStoresWithContradictoryWriters(t *testing.T) {
	e := embedded(t)
	stores := []*Store{open(t, e.NewClient()), open(t, e.NewClient())}
	contradict(t, stores, 32, 200, randomChanges)
	same(t, stores[0], stores[1])
	checkInvariants(t, stores[0])
	if fresh := open(t, e.NewClient()); !t.Failed() {
		same(t, stores[0], fresh)
	}
}

// The same with writers of chains and of the functions that they share, refuse each other
// and delete.
func TestTwoStoresWithWritersOfChains(t *testing.T) {
	e := embedded(t)
	stores := []*Store{open(t, e.NewClient()), open(t, e.NewClient())}
	for i := range 3 {
		tn := fmt.Sprintf("t%d", i)
		apply(t, stores[0], puts(tenant(tn), network(tn, "n", "10.0.0.0/24"), endpoint(tn, "e0", "n"), endpoint(tn, "e1", "n"), router(tn, "r0", "n"), router(tn, "r1")))
	}
	contradict(t, stores, 4, 400, randomChains) // few, so that a transaction is not of all tenants
	same(t, stores[0], stores[1])
	checkInvariants(t, stores[0])
	if len(stores[0].List(topology.KindChain, "")) == 0 || len(stores[0].List(topology.KindServiceFunction, "")) == 0 {
		t.Error("no chain or no function is left to be checked")
	}
}

// contradict has many writers apply changes by the stores at once.
func contradict(t *testing.T, stores []*Store, writers, writes int, random func(*rand.Rand) []Change) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			for range writes {
				_, err := stores[w%2].Apply(testContext(t), random(rng))
				if !understood(err) {
					t.Errorf("Apply: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// understood says whether an error is one that contradictory writers must expect.
func understood(err error) bool {
	var (
		a *topology.InvalidError
		b *topology.ConflictError
		c *topology.ReferencedError
		d *topology.NotFoundError
	)
	return err == nil || errors.As(err, &a) || errors.As(err, &b) || errors.As(err, &c) || errors.As(err, &d)
}

// randomChanges draws from few names and numbers, so that writers collide.
func randomChanges(rng *rand.Rand) []Change {
	tn := fmt.Sprintf("t%d", rng.IntN(3))
	net := fmt.Sprintf("n%d", rng.IntN(3))
	ep := fmt.Sprintf("e%d", rng.IntN(6))
	n := network(tn, net, fmt.Sprintf("10.%d.0.0/28", rng.IntN(3)))
	if rng.IntN(2) == 0 {
		n.Spec.VNI = uint32(1 + rng.IntN(4))
	}
	x := endpoint(tn, ep, net)
	switch rng.IntN(3) {
	case 0:
		x.Spec.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, byte(rng.IntN(3)), 0, byte(2 + rng.IntN(4))})}
	case 1:
		x.Spec.InterfaceID = fmt.Sprintf("id%d", rng.IntN(4))
	}
	switch rng.IntN(9) {
	case 0:
		return puts(tenant(tn))
	case 1:
		return deletes(tenant(tn).Key())
	case 2:
		return deletes(n.Key())
	case 3:
		return deletes(x.Key())
	case 4:
		return puts(router(tn, fmt.Sprintf("r%d", rng.IntN(2)), net, fmt.Sprintf("n%d", rng.IntN(3))))
	case 5:
		return deletes(topology.Key{Kind: topology.KindRouter, Tenant: tn, Name: fmt.Sprintf("r%d", rng.IntN(2))})
	case 6:
		return puts(x)
	}
	return puts(x, n, tenant(tn))
}

// randomChains is the same for chains and service functions: many chains of few functions,
// so that what went wrong is not soon overwritten.
func randomChains(rng *rand.Rand) []Change {
	pick := func(of string, n int) string { return fmt.Sprintf("%s%d", of, rng.IntN(n)) }
	f := function(pick("t", 3), pick("f", 2), pick("t", 3), "t9")
	f.Spec.Tagged = rng.IntN(3) > 0
	if rng.IntN(3) == 0 {
		f.Spec.Instances = []topology.Instance{{In: pick("e", 2)}}
	}
	c := chain(pick("t", 3), pick("c", 200), pick("r", 2), pick("t", 3)+"/"+pick("f", 2))
	switch rng.IntN(20) {
	case 0:
		return deletes(c.Key())
	case 1:
		return deletes(f.Key())
	case 2, 3:
		return puts(f)
	}
	return puts(c)
}

// same waits until both have seen everything, and compares them.
func same(t *testing.T, a, b *Store) {
	t.Helper()
	rev := max(a.Revision(), b.Revision())
	for _, s := range []*Store{a, b} {
		if err := s.waitFor(testContext(t), rev); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range topology.Kinds() {
		if diff := cmp.Diff(a.List(kind, ""), b.List(kind, ""), cmpOptions...); diff != "" {
			t.Errorf("the stores differ in %ss:\n%s", kind, diff)
		}
	}
	if diff := cmp.Diff(a.Bindings(), b.Bindings()); diff != "" {
		t.Errorf("the stores differ in bindings:\n%s", diff)
	}
}

// checkInvariants applies every object to an empty intent: it must be accepted,
// and come out as it is.
func checkInvariants(t *testing.T, s *Store) {
	t.Helper()
	vnis, ids := map[uint32]topology.Key{}, map[string]topology.Key{}
	seen := map[string]topology.Key{}
	once := func(holder topology.Key, what ...any) {
		text := fmt.Sprint(what...)
		if other, twice := seen[text]; twice {
			t.Errorf("%s and %s both have %s", other, holder, text)
		}
		seen[text] = holder
	}
	var changes []Change
	for _, kind := range topology.Kinds() {
		for _, o := range s.List(kind, "") {
			switch o := o.(type) {
			case *topology.Network:
				if other, taken := vnis[o.Allocated.VNI]; taken {
					t.Errorf("%s and %s have VNI %d", other, o.Key(), o.Allocated.VNI)
				}
				vnis[o.Allocated.VNI] = o.Key()
			case *topology.ServiceFunction:
				once(o.Key(), "function", o.Allocated.ID)
			case *topology.Chain:
				once(o.Key(), "chain", o.Allocated.ID)
				once(o.Key(), "zone", o.Allocated.Zone)
				for _, h := range o.Allocated.Hops {
					once(o.Key(), "VLAN", h)
				}
			case *topology.Endpoint:
				if other, taken := ids[o.Allocated.InterfaceID]; taken {
					t.Errorf("%s and %s have interface id %s", other, o.Key(), o.Allocated.InterfaceID)
				}
				ids[o.Allocated.InterfaceID] = o.Key()
				if len(o.Allocated.Addresses) == 0 {
					continue // its network had no subnets when it was put
				}
				o = o.Clone().(*topology.Endpoint)
				o.Spec.Addresses, o.Spec.MAC = o.Allocated.Addresses, o.Allocated.MAC
				changes = append(changes, puts(o)...)
				continue
			}
			changes = append(changes, puts(o)...)
		}
	}
	if _, err := topology.NewState().Try(changes, environment()); err != nil {
		t.Errorf("what is stored does not hold together: %v", err)
	}
}

// Hundreds of single writes at once, on one store: all succeed, and get different
// addresses.
func TestManySmallWritesAtOnce(t *testing.T) {
	s := newStore(t)
	apply(t, s, puts(tenant("acme"), network("acme", "blue", "10.0.0.0/16")))
	before := s.Revision()
	var wg sync.WaitGroup
	const n = 400
	for i := range n {
		wg.Go(func() {
			objects, err := s.Apply(testContext(t), puts(endpoint("acme", fmt.Sprintf("e%d", i), "blue")))
			if err != nil {
				t.Error(err)
				return
			}
			read, err := s.Get(objects[0].Key())
			if err != nil || read.Meta().Revision != objects[0].Meta().Revision {
				t.Errorf("own write not read: %v", err)
			}
		})
	}
	wg.Wait()
	checkInvariants(t, s)
	if commits := s.Revision() - before; commits > n/2 {
		t.Errorf("%d commits for %d writes: they were not merged", commits, n)
	}
}

// An invalid request among valid ones fails alone.
func TestInvalidRequestFailsAlone(t *testing.T) {
	s := newStore(t)
	apply(t, s, puts(tenant("acme"), network("acme", "blue", "10.0.0.0/16")))
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			e := endpoint("acme", fmt.Sprintf("e%d", i), "blue")
			if i%2 == 1 {
				e.Spec.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
			}
			_, err := s.Apply(testContext(t), puts(e))
			var inv *topology.InvalidError
			if bad := errors.As(err, &inv); bad != (i%2 == 1) {
				t.Errorf("endpoint %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := len(s.List(topology.KindEndpoint, "acme")); n != 50 {
		t.Errorf("%d endpoints", n)
	}
}

// What one controller has committed, another one knows of when it refuses.
func TestRefusalsAreUpToDate(t *testing.T) {
	e := embedded(t)
	a, b := open(t, e.NewClient()), open(t, e.NewClient())
	for i := range 50 {
		name := fmt.Sprintf("t%d", i)
		apply(t, a, puts(tenant(name)))
		apply(t, b, puts(network(name, "blue")))
		apply(t, a, deletes(network(name, "blue").Key()))
		apply(t, b, deletes(tenant(name).Key()))
	}
}

func TestApplyEndsWithContext(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Apply(ctx, puts(tenant("acme"))); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply: %v", err)
	}
	s.Close()
	if _, err := s.Apply(t.Context(), puts(tenant("acme"))); !errors.Is(err, ErrClosed) {
		t.Errorf("Apply on a closed store: %v", err)
	}
}
