package main

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// The instances that share connections, one on each host, and their weights.
var sharedWeights = []int{1, 1, 2}

// chainEvenness counts how 10,000 connections through a chain are shared by instances of
// one function: those of one client, and those of four on three hosts.
func (s settings) chainEvenness(ctx context.Context, r *report) error {
	s.hosts = len(sharedWeights)
	c, err := s.chained(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	server, e, err := c.attach(ctx, "green", "server", "h3")
	if err != nil {
		return err
	}
	stop, err := serveConnections(server)
	if err != nil {
		return err
	}
	defer stop()
	instances, err := c.shared(ctx)
	if err != nil {
		return err
	}
	several := make([]lab.Machine, 4)
	for i := range several {
		wl, _, err := c.attach(ctx, "blue", fmt.Sprintf("client%d", i+1), c.lab.Hosts()[i%s.hosts])
		if err != nil {
			return err
		}
		several[i] = wl
		if err := untilShared(ctx, wl, e.Status.Addresses[0], instances); err != nil {
			return err
		}
	}
	one := []lab.Machine{several[0], several[0], several[0], several[0]}
	for _, from := range []struct {
		name    string
		clients []lab.Machine
	}{{"one", one}, {"several", several}} {
		if err := s.shares(ctx, r, "chain.evenness."+from.name, from.clients, e.Status.Addresses[0], instances); err != nil {
			return err
		}
	}
	return nil
}

// shared makes a chain of one function, and its instances, which count connections.
func (c *chained) shared(ctx context.Context) (list []*lab.Function, err error) {
	var names []string
	for i := range sharedWeights {
		names = append(names, fmt.Sprintf("f%d", i+1))
		f, err := c.instance(ctx, names[i], c.lab.Hosts()[i])
		if err != nil {
			return nil, err
		}
		if err := f.Guard(lab.Guard{Counters: []string{"begun"}, Rules: []string{`iifname "in" tcp flags & (syn | ack) == syn counter name begun`}}); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	var m strings.Builder
	writeFunction(&m, "bench", "shared", sharedWeights, names...)
	writeChain(&m, "bench", "shared")
	return list, c.declareChain(ctx, m.String())
}

// begun is how many connections each instance has seen begin.
func begun(ctx context.Context, instances []*lab.Function) ([]float64, error) {
	var counts []float64
	for _, f := range instances {
		counters, err := f.Counters(ctx)
		if err != nil {
			return nil, err
		}
		counts = append(counts, float64(counters["begun"].Packets))
	}
	return counts, nil
}

// shareOf has clients open connections, and returns how many each instance has got.
func shareOf(ctx context.Context, clients []lab.Machine, to netip.Addr, each int, instances []*lab.Function) ([]float64, error) {
	before, err := begun(ctx, instances)
	if err != nil {
		return nil, err
	}
	if err := connectFrom(ctx, clients, to, each); err != nil {
		return nil, err
	}
	counts, err := begun(ctx, instances)
	for i := range counts {
		counts[i] -= before[i]
	}
	return counts, err
}

// untilShared waits until a client's host sends to all instances: it takes those of other
// hosts for dead until it has heard of them.
func untilShared(ctx context.Context, from lab.Machine, to netip.Addr, instances []*lab.Function) error {
	waiting, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := lab.Ping(waiting, from, to); err != nil {
		return err
	}
	for {
		counts, err := shareOf(waiting, []lab.Machine{from}, to, 100, instances)
		if err != nil {
			return fmt.Errorf("waiting until %s sends to all instances: %w", from.Namespace(), err)
		}
		if slices.Min(counts) > 0 {
			return nil
		}
	}
}

// shares reports what each instance has got, on average, and how far that which is farthest
// off is from its weight's share, in percent of that share.
func (s settings) shares(ctx context.Context, r *report, name string, clients []lab.Machine, to netip.Addr, instances []*lab.Function) error {
	const connections = 10_000
	sums, weights := make([]float64, len(instances)), 0
	for _, w := range sharedWeights {
		weights += w
	}
	var worst []float64
	for range s.repeats {
		counts, err := shareOf(ctx, clients, to, connections/len(clients), instances)
		if err != nil {
			return err
		}
		total, off := 0.0, 0.0
		for i, n := range counts {
			sums[i] += n
			total += n
			off = max(off, math.Abs(n/connections*float64(weights)/float64(sharedWeights[i])-1)*100)
		}
		if total < connections {
			return fmt.Errorf("of %d connections the instances have seen %.0f", connections, total)
		}
		worst = append(worst, off)
	}
	for i, n := range sums {
		r.figure(fmt.Sprintf("%s.instance%d.weight%d", name, i+1, sharedWeights[i]), n/float64(s.repeats), "connections")
	}
	r.spread(name+".deviation", worst, "% of a share")
	return nil
}
