package store

import (
	"context"
	"sync"

	"github.com/dovetail-sdn/dovetail/topology"
)

// compactAt is how many events may wait for a slow reader before those of one
// object are merged into one.
const compactAt = 50_000

// Watcher is a stream of batches in commit order. A slow reader never delays
// writers and loses nothing that matters: what waits for it is kept in memory, and
// when that is much, the changes of each object are merged into one, so that it
// never holds more than one change for each object that exists or existed when the
// reader last looked.
type Watcher struct {
	out  chan Batch
	wake chan struct{} // holds one

	mu      sync.Mutex
	queue   []Batch
	waiting int // weight of the queue
	limit   int // compact above this
	err     error
	ended   bool
}

// Batches is closed when the watch has ended; then Err says why.
func (w *Watcher) Batches() <-chan Batch { return w.out }

// Err says why the watch ended: the context's error or ErrClosed. It is nil before.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// initialBatch is how many events an initial batch has at most.
const initialBatch = 4096

// Watch returns the state as it is, as creations in the order of topology.Kinds and
// then bindings, and then every commit, until ctx ends or the store is closed. The
// batch that completes the initial state is Synced.
func (s *Store) Watch(ctx context.Context) (*Watcher, error) {
	w := &Watcher{out: make(chan Batch), wake: make(chan struct{}, 1), limit: compactAt}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watchers == nil {
		return nil, ErrClosed
	}
	w.queue = s.initial()
	s.watchers[w] = struct{}{}
	w.wake <- struct{}{}
	s.done.Go(func() {
		w.run(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, w)
	})
	return w, nil
}

// initial needs the lock.
func (s *Store) initial() []Batch {
	var events []Event
	for _, kind := range topology.Kinds() {
		for _, o := range s.state.List(kind, "") {
			events = append(events, Event{After: o})
		}
	}
	for _, b := range s.state.Bindings() {
		events = append(events, Event{BindingAfter: b})
	}
	var batches []Batch
	for len(events) > initialBatch {
		batches = append(batches, Batch{Events: events[:initialBatch], Initial: true})
		events = events[initialBatch:]
	}
	return append(batches, Batch{Events: events, Initial: true, Synced: true, Revision: s.revision})
}

// endWatchers ends all watchers and lets no new ones begin.
func (s *Store) endWatchers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		w.end(ErrClosed)
	}
	s.watchers = nil
}

func (w *Watcher) push(b Batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, b)
	w.waiting += b.weight()
	if w.waiting > w.limit {
		w.queue = compact(w.queue)
		w.waiting = 0
		for _, b := range w.queue {
			w.waiting += b.weight()
		}
		w.limit = max(compactAt, 2*w.waiting)
	}
	w.poke()
}

// weight is what a batch counts for compaction; the initial state cannot be made
// smaller.
func (b Batch) weight() int {
	if b.Initial {
		return 0
	}
	return 1 + len(b.Events)
}

func (w *Watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Watcher) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.ended, w.err = true, err
	}
	w.poke()
}

// run hands the queue to the reader until ctx ends or the watcher is ended.
func (w *Watcher) run(ctx context.Context) {
	defer close(w.out)
	for {
		select {
		case <-ctx.Done():
			w.end(context.Cause(ctx))
			return
		case <-w.wake:
		}
		for {
			b, ok, ended := w.next()
			if ended {
				return
			}
			if !ok {
				break
			}
			if !w.hand(ctx, b) {
				return
			}
		}
	}
}

// hand gives a batch to the reader; false if the watch ends before it takes it.
func (w *Watcher) hand(ctx context.Context, b Batch) bool {
	for {
		select {
		case w.out <- b:
			return true
		case <-ctx.Done():
			w.end(context.Cause(ctx))
			return false
		case <-w.wake:
			w.mu.Lock()
			ended := w.ended
			w.mu.Unlock()
			if ended {
				return false
			}
			// There is more; run looks at the queue again in any case.
		}
	}
}

func (w *Watcher) next() (b Batch, ok, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended || len(w.queue) == 0 {
		return Batch{}, false, w.ended
	}
	b = w.queue[0]
	w.queue[0] = Batch{}
	w.queue = w.queue[1:]
	w.waiting -= b.weight()
	if len(w.queue) == 0 {
		w.queue, w.waiting, w.limit = nil, 0, compactAt
	}
	return b, true, false
}
