package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

const (
	// watchRound is how often each host's flows are counted: counting costs the two
	// cores that everybody shares.
	watchRound = 2 * time.Second
	// watchCalm without a change means that nothing more will come.
	watchCalm = 4 * watchRound
)

// flowWatch sees when the hosts have their last flows. OVN's own word comes too late,
// if a host's number is left behind, and too early: that endpoints are up brings
// flows of its own.
type flowWatch struct {
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	flows   map[string]int
	err     error
	changed time.Time // when a change was seen last
	// before is the last time at which a host was seen without its last flows.
	before time.Time
}

// watch starts to count the hosts' flows in turns. close must be called.
func (w *ovnWorld) watch(ctx context.Context) *flowWatch {
	f := &flowWatch{done: make(chan struct{}), flows: map[string]int{}, changed: time.Now(), before: time.Now()}
	ctx, f.stop = context.WithCancel(ctx)
	go func() {
		defer close(f.done)
		f.run(ctx, w)
	}()
	return f
}

func (f *flowWatch) run(ctx context.Context, w *ovnWorld) {
	hosts := w.lab.Hosts()
	tick := time.NewTicker(watchRound / time.Duration(len(hosts)))
	defer tick.Stop()
	seen := map[string]time.Time{}
	for i := 0; ; i++ {
		h, now := hosts[i%len(hosts)], time.Now()
		n, err := w.on.flowCount(h)
		f.note(h, n, err, seen[h])
		seen[h] = now
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *flowWatch) note(host string, n int, err error, seen time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.err = fmt.Errorf("counting the flows of host %s: %w", host, err)
		return
	}
	if old, known := f.flows[host]; known && old != n {
		f.changed = time.Now()
		if seen.After(f.before) {
			f.before = seen
		}
	}
	f.flows[host] = n
}

// calm waits until no host's flows have changed for a while.
func (f *flowWatch) calm(ctx context.Context, limit time.Duration) error {
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		f.mu.Lock()
		changed, err := f.changed, f.err
		f.mu.Unlock()
		if err != nil || ctx.Err() != nil {
			return cmp.Or(err, ctx.Err())
		}
		if time.Since(changed) > watchCalm {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: flows still change after %s", errLate, limit)
		}
	}
}

// last says between which times the last change came: no more than a round apart.
func (f *flowWatch) last() (from, to time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.before, f.changed
}

// counts is how many flows each host has.
func (f *flowWatch) counts() (map[string]int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.flows), f.err
}

// close ends the watch.
func (f *flowWatch) close() {
	f.stop()
	<-f.done
}
