package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The pinger and its target have numbers beyond those of all others.
const ovnPinger, ovnTarget = 60000, 60001

// ovnReady is ready for OVN: the port is there already, and the logical port is
// created by ovn-nbctl.
func (s settings) ovnReady(ctx context.Context, r *report) error {
	w, err := s.ovnWorld(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	pinger, err := w.attach(ovnPinger, "h2")
	if err != nil {
		return err
	}
	if _, err := w.attach(ovnTarget, "h1"); err != nil {
		return err
	}
	addr := ovnAddr(ovnTarget)
	if err := knowNeighbour(pinger, addr, ovnMAC(ovnTarget)); err != nil {
		return err
	}
	have := 0
	for _, size := range s.sizes {
		if _, err := w.settled(ctx, have+1, size, size+2, s.ovnLimit); err != nil {
			return err
		}
		have = size
		var answered []float64
		for range s.samples {
			if _, err := w.nb("lsp-del", ovnID(ovnTarget)); err != nil {
				return err
			}
			if err := w.sync(ctx, time.Minute); err != nil {
				return err
			}
			first, _, err := untilAnswer(pinger, addr, func() error { return w.declare(ovnTarget, ovnTarget) })
			if err != nil {
				return err
			}
			answered = append(answered, milliseconds(first))
		}
		r.spread(fmt.Sprintf("ovn.ready.%d.ping", size), answered, "ms")
	}
	return nil
}

// ovnBulk is bulk for OVN: all in one transaction, ports prepared.
func (s settings) ovnBulk(ctx context.Context, r *report) error {
	return s.eachBulk(ctx, r, s.oneOVNBulk)
}

func (s settings) oneOVNBulk(ctx context.Context, r *report, n int) error {
	w, err := s.ovnWorld(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.on.prepare(1, n); err != nil {
		return err
	}
	watch := w.watch(ctx)
	defer watch.close()
	time.Sleep(3 * time.Second) // let the switches build their ports
	name := fmt.Sprintf("ovn.bulk.%d", n)
	before, began := w.use(), time.Now()
	if err := w.declare(1, n); err != nil {
		return err
	}
	err = w.untilUp(ctx, n, s.ovnLimit)
	confirmed, after := time.Since(began), w.use()
	if err == nil {
		err = watch.calm(ctx, s.ovnLimit)
	}
	switch {
	case errors.Is(err, errLate):
		r.figure(name+".givenup", time.Since(began).Seconds(), "s")
	case err != nil:
		return err
	default:
		// The earlier end is what counts: doubt is in OVN's favour.
		from, to := watch.last()
		r.figure(name+".realized", max(0, from.Sub(began).Seconds()), "s")
		r.figure(name+".realized.latest", to.Sub(began).Seconds(), "s")
		r.figure(name+".confirmed", confirmed.Seconds(), "s")
	}
	up, err := w.up()
	if err != nil {
		return err
	}
	r.figure(name+".up", float64(up), "endpoints")
	r.figure(name+".cpu.controller", after.central-before.central, "s")
	r.figure(name+".cpu.all", after.all-before.all, "s")
	r.figure(name+".memory.controller", after.centralMemory, "MiB")
	r.figure(name+".memory.agent", after.agentMemory, "MiB")
	flows, err := w.on.flowCount("h1")
	r.figure(name+".flows.h1", float64(flows), "flows")
	return err
}

// ovnCount is count for OVN.
func (s settings) ovnCount(ctx context.Context, r *report) error {
	s.hosts = 2
	w, err := s.ovnWorld(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	before, err := w.settled(ctx, 1, 4, 4, s.ovnLimit)
	if err != nil {
		return err
	}
	// Endpoint 6 is on host h1, as all even ones are.
	after, err := w.settled(ctx, 6, 6, 5, s.ovnLimit)
	if err != nil {
		return err
	}
	r.figure("ovn.count.local", float64(after["h1"]-before["h1"]), "flows")
	r.figure("ovn.count.remote", float64(after["h2"]-before["h2"]), "flows")
	return nil
}

// settled makes endpoints with their ports, and returns how many flows each host has
// once so many endpoints are up and nothing changes any more.
func (w *ovnWorld) settled(ctx context.Context, first, last, up int, limit time.Duration) (map[string]int, error) {
	if err := w.on.prepare(first, last); err != nil {
		return nil, err
	}
	if err := w.declare(first, last); err != nil {
		return nil, err
	}
	if err := w.untilUp(ctx, up, limit); err != nil {
		return nil, err
	}
	watch := w.watch(ctx)
	defer watch.close()
	if err := watch.calm(ctx, limit); err != nil {
		return nil, err
	}
	return watch.counts()
}
