package main

import (
	"context"
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
	target := declaration(ovnTarget, ovnTarget)
	have := 0
	for _, size := range s.sizes {
		if err := w.on.prepare(have+1, size); err != nil {
			return err
		}
		if err := w.nb(declaration(have+1, size)...); err != nil {
			return err
		}
		have = size
		if err := w.untilUp(ctx, size+2, s.ovnLimit); err != nil {
			return err
		}
		var answered []float64
		for range s.samples {
			if err := w.nb("lsp-del", fmt.Sprintf("bench/e%d", ovnTarget)); err != nil {
				return err
			}
			if err := w.sync(ctx, time.Minute); err != nil {
				return err
			}
			first, _, err := untilAnswer(pinger, addr, func() error { return w.nb(target...) })
			if err != nil {
				return err
			}
			answered = append(answered, milliseconds(first))
		}
		r.spread(fmt.Sprintf("ovn.ready.%d.ping", size), answered, "ms")
	}
	return nil
}

// untilUp waits until OVN says that so many endpoints are up, which their hosts say
// when they have their flows, and that all hosts have followed.
func (w *ovnWorld) untilUp(ctx context.Context, n int, limit time.Duration) error {
	for end := time.Now().Add(limit); ; time.Sleep(200 * time.Millisecond) {
		up, err := w.rows("find", "Port_Binding", "up=true")
		if err != nil {
			return err
		}
		if up >= n {
			return w.sync(ctx, max(time.Until(end), time.Second))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("OVN says that %d of %d endpoints are up after %s", up, n, limit)
		}
	}
}
