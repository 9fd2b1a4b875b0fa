package resttest

import (
	"context"
	"slices"
	"sync"

	"github.com/dovetail-sdn/dovetail/topology"
)

// World is a rest.Realization whose state the test sets. What the test has not
// set is realized. The zero value is ready.
type World struct {
	mu      sync.Mutex
	status  map[topology.Key]topology.Status
	counted map[topology.Key]func(*topology.Status)
	changed chan struct{} // closed at the next change
	cookies map[uint64][]topology.Key
	events  []topology.Event
	readers map[chan topology.Event]bool
	unready error
}

// Set makes a status true.
func (w *World) Set(key topology.Key, st topology.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.status == nil {
		w.status = map[topology.Key]topology.Status{}
	}
	w.status[key] = st
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// SetReady makes Ready return the error.
func (w *World) SetReady(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unready = err
}

// SetCookie makes a cookie stand for keys.
func (w *World) SetCookie(cookie uint64, keys ...topology.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cookies == nil {
		w.cookies = map[uint64][]topology.Key{}
	}
	w.cookies[cookie] = keys
}

// Status implements rest.Realization.
func (w *World) Status(key topology.Key) topology.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	if st, ok := w.status[key]; ok {
		return st
	}
	return topology.Status{Phase: topology.PhaseRealized, Since: Since}
}

// SetCounted has StatusCounted add what switches have counted to a status.
func (w *World) SetCounted(key topology.Key, add func(*topology.Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counted == nil {
		w.counted = map[topology.Key]func(*topology.Status){}
	}
	w.counted[key] = add
}

// StatusCounted implements rest.Realization.
func (w *World) StatusCounted(_ context.Context, key topology.Key) topology.Status {
	st := w.Status(key)
	w.mu.Lock()
	defer w.mu.Unlock()
	if add := w.counted[key]; add != nil {
		st.Hops = slices.Clone(st.Hops)
		for i := range st.Hops {
			st.Hops[i].Instances = slices.Clone(st.Hops[i].Instances)
		}
		add(&st)
	}
	return st
}

// WaitRealized implements rest.Realization.
func (w *World) WaitRealized(ctx context.Context, keys []topology.Key) error {
	for {
		w.mu.Lock()
		pending := false
		for _, k := range keys {
			pending = pending || w.status[k].Phase == topology.PhasePending
		}
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		changed := w.changed
		w.mu.Unlock()
		if !pending {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Emit adds an event and hands it to the readers; it returns its number.
func (w *World) Emit(t topology.EventType, key topology.Key, host, message string) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	ev := topology.Event{Sequence: uint64(len(w.events) + 1), Time: Since, Type: t, Object: key, Host: host, Message: message}
	w.events = append(w.events, ev)
	for ch := range w.readers {
		select {
		case ch <- ev:
		default:
		}
	}
	return ev.Sequence
}

// Events implements rest.Realization.
func (w *World) Events(ctx context.Context, after uint64) <-chan topology.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := make(chan topology.Event, len(w.events)+64)
	for _, ev := range w.events {
		if after > 0 && ev.Sequence > after {
			ch <- ev
		}
	}
	if w.readers == nil {
		w.readers = map[chan topology.Event]bool{}
	}
	w.readers[ch] = true
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.readers, ch)
		close(ch)
	})
	return ch
}

// Readers is how many read events.
func (w *World) Readers() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.readers)
}

// Ready implements rest.Realization.
func (w *World) Ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unready
}

// ResolveCookie implements rest.CookieResolver.
func (w *World) ResolveCookie(cookie uint64) []topology.Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cookies[cookie]
}
