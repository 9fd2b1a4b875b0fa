package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/sim"
	"github.com/dovetail-sdn/dovetail/topology"
)

// fleet is a controller with simulated hosts, which run in this process: they
// share the processors with the controller, but not its memory.
type fleet struct {
	*process
	*sim.Fleet
	stop func()
}

// newFleet prepares a controller on loopback, with data in a folder of its own.
func (s settings) newFleet() (*fleet, error) {
	dir, err := os.MkdirTemp("", "dovetail-bench")
	if err != nil {
		return nil, err
	}
	ovsdb, err1 := freeAddress()
	openFlow, err2 := freeAddress()
	p, err3 := newProcess(s.program, dir, ovsdb, openFlow)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &fleet{process: p, stop: func() {}}, nil
}

// fleetOf starts a controller and hosts, and waits until all hosts are realized.
func (s settings) fleetOf(ctx context.Context, hosts int) (*fleet, error) {
	f, err := s.newFleet()
	if err != nil {
		return nil, err
	}
	if err := f.start(ctx); err != nil {
		f.close()
		return nil, err
	}
	f.Fleet = sim.NewFleet(sim.Config{Manager: f.ovsdb, Hosts: hosts, FirstVTEP: netip.MustParseAddr("198.18.0.1")})
	running, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { f.Run(running) })
	f.stop = func() {
		cancel()
		done.Wait()
	}
	if err := f.untilRealized(ctx, hosts); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *fleet) close() {
	f.stop()
	f.process.close()
	_ = os.RemoveAll(f.dir)
}

const fleetPatience = 10 * time.Minute

// untilRealized waits until so many hosts, and all that there are, are realized.
func (f *fleet) untilRealized(ctx context.Context, hosts int) error {
	for end := time.Now().Add(fleetPatience); ; time.Sleep(50 * time.Millisecond) {
		n, err := f.realizedHosts(ctx)
		switch {
		case err != nil:
			return err
		case n == hosts:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("%d of %d hosts are realized after %s", n, hosts, fleetPatience)
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

func (f *fleet) realizedHosts(ctx context.Context) (n int, err error) {
	key := topology.Key{Kind: topology.KindHost}
	err = f.api.Pages(ctx, key, listAll, func(page []byte) error {
		n += countRealized(page)
		return nil
	})
	return n, err
}

// untilQuiet waits until no switch has been sent anything but probes for a while.
func (f *fleet) untilQuiet(ctx context.Context) error {
	last, since := f.Traffic().FlowMods, time.Now()
	for end := time.Now().Add(fleetPatience); time.Now().Before(end); {
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		if now := f.Traffic().FlowMods; now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > 2*time.Second {
			return nil
		}
	}
	return errors.New("the switches do not come to rest")
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
