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
	mu      sync.Mutex
	last    uint64
	ring    []topology.Event // the newest at the end
	readers map[chan topology.Event]bool
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
	for ch := range l.readers {
		select {
		case ch <- ev:
		default: // it sees the gap in the sequence
		}
	}
}

// follow hands the events with a higher sequence number than after, and then the
// new ones, to the channel until ctx ends; then it closes it.
func (l *eventLog) follow(ctx context.Context, after uint64) <-chan topology.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := make(chan topology.Event, 2*keepEvents+256)
	if after > 0 {
		for _, ev := range l.ring {
			if ev.Sequence > after {
				ch <- ev
			}
		}
	}
	if l.readers == nil {
		l.readers = map[chan topology.Event]bool{}
	}
	l.readers[ch] = true
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.readers, ch)
		close(ch)
	})
	return ch
}

func (c *Controller) event(t topology.EventType, obj topology.Key, host, message string) {
	c.events.add(topology.Event{Time: c.now().UTC().Truncate(time.Millisecond), Type: t, Object: obj, Host: host, Message: message})
}
