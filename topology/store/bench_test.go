package store

import (
	"fmt"
	"sync"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
)

// filled is a store with n endpoints, 1,000 a network, in 20 tenants.
func filled(b *testing.B, n int) *Store {
	b.Helper()
	s := newStore(b)
	for t := range 20 {
		name := fmt.Sprintf("t%d", t)
		changes := puts(tenant(name))
		for i := range n / 20 {
			net := fmt.Sprintf("n%d", i/1000)
			if i%1000 == 0 {
				changes = append(changes, puts(network(name, net, "10.0.0.0/16"))...)
			}
			changes = append(changes, puts(endpoint(name, fmt.Sprintf("e%d", i), net))...)
		}
		apply(b, s, changes)
	}
	return s
}

func BenchmarkApplyOneOf100k(b *testing.B) {
	s := filled(b, 100_000)
	b.ResetTimer()
	for i := range b.N {
		apply(b, s, puts(endpoint("t1", fmt.Sprintf("new%d", i), "n0")))
	}
}

func BenchmarkApply5000(b *testing.B) {
	s := filled(b, 20_000)
	b.ResetTimer()
	for i := range b.N {
		net := fmt.Sprintf("big%d", i)
		changes := puts(network("t1", net, "10.0.0.0/16", "fd00::/64"))
		for j := range 5000 {
			changes = append(changes, puts(endpoint("t1", fmt.Sprintf("%s-e%d", net, j), net))...)
		}
		apply(b, s, changes)
	}
}

func BenchmarkApplyConcurrent(b *testing.B) {
	s := filled(b, 20_000)
	b.ResetTimer()
	var wg sync.WaitGroup
	for w := range 200 {
		wg.Go(func() {
			for i := w; i < b.N; i += 200 {
				apply(b, s, puts(endpoint("t1", fmt.Sprintf("new%d", i), "n0")))
			}
		})
	}
	wg.Wait()
}

func BenchmarkOpen100k(b *testing.B) {
	e := embedded(b)
	s := open(b, e.Client())
	for t := range 20 {
		name := fmt.Sprintf("t%d", t)
		changes := puts(tenant(name), network(name, "n", "10.0.0.0/16"))
		for i := range 5000 {
			changes = append(changes, puts(endpoint(name, fmt.Sprintf("e%d", i), "n"))...)
		}
		apply(b, s, changes)
	}
	b.ResetTimer()
	for range b.N {
		fresh := open(b, e.NewClient())
		if n := len(fresh.List(topology.KindEndpoint, "")); n != 100_000 {
			b.Fatal(n)
		}
		fresh.Close()
	}
}
