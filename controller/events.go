package controller

import (
	"context"
	"sync"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// keepEvents is how many past events a reader can catch up on.
const keepEvents = 4096

// eventLog keeps the last events and hands new ones to readers. It is safe for
// concurrent use.
type eventLog struct {
	mu    sync.Mutex
	last  uint64
	ring  []topology.Event // without gaps, the newest at the end
	added chan struct{}    // closed with the next event; nil while nobody waits
}

// begin makes all sequence numbers higher than those of controllers that were
// started before, so that a reader who resumes after one of theirs misses nothing
// of this one's. They are exact in JavaScript (below 2^53) for 150 years.
func (l *eventLog) begin(now time.Time) { l.last = uint64(max(now.Unix(), 0)) << 20 }

func (l *eventLog) add(ev topology.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	ev.Sequence = l.last
	if len(l.ring) >= 2*keepEvents {
		l.ring = append([]topology.Event(nil), l.ring[keepEvents:]...)
	}
	l.ring = append(l.ring, ev)
	if l.added != nil {
		close(l.added)
		l.added = nil
	}
}

// readAhead is how many events a reader takes at once.
const readAhead = 64

// since returns the next events after a sequence number; when there are none, a
// channel that is closed once there are.
func (l *eventLog) since(after uint64) (next []topology.Event, added <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after < l.last && len(l.ring) > 0 {
		from := 0
		if first := l.ring[0].Sequence; after >= first {
			from = int(after-first) + 1
		}
		return append(next, l.ring[from:min(from+readAhead, len(l.ring))]...), nil
	}
	if l.added == nil {
		l.added = make(chan struct{})
	}
	return nil, l.added
}

// follow hands the events with a higher sequence number than after, as far as they
// are kept, and then the new ones, to the channel until ctx ends; then it closes it.
// With after 0 it begins with the new ones. A reader that is too slow sees a gap in
// the sequence.
func (l *eventLog) follow(ctx context.Context, after uint64) <-chan topology.Event {
	l.mu.Lock()
	if after == 0 || after > l.last { // the latter from a controller whose clock was ahead
		after = l.last
	}
	l.mu.Unlock()
	ch := make(chan topology.Event)
	go func() {
		defer close(ch)
		for {
			next, added := l.since(after)
			if len(next) == 0 {
				select {
				case <-added:
				case <-ctx.Done():
					return
				}
			}
			for _, ev := range next {
				select {
				case ch <- ev:
					after = ev.Sequence
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return ch
}

func (c *Controller) event(t topology.EventType, obj topology.Key, host, message string) {
	c.events.add(topology.Event{Time: c.now().UTC().Truncate(time.Millisecond), Type: t, Object: obj, Host: host, Message: message})
}
