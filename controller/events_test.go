package controller

import (
	"sync"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// TestEventsOfALaterControllerHaveHigherNumbers: whoever resumes after an event of
// a controller that is gone hears all of the next one's.
func TestEventsOfALaterControllerHaveHigherNumbers(t *testing.T) {
	var old, next eventLog
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	old.begin(start)
	for range 10_000 {
		old.add(topology.Event{})
	}
	next.begin(start.Add(time.Second))
	next.add(topology.Event{})
	read := old.last
	if got := <-next.follow(t.Context(), read); got.Sequence != next.last {
		t.Errorf("event %d, want %d", got.Sequence, next.last)
	}
	if next.last >= 1<<53 {
		t.Errorf("%d is not exact in JavaScript", next.last)
	}
}

// TestManyReadersOfEvents: each gets all events in order, from where it began; one
// that reads nothing costs nothing but a gap of its own.
func TestManyReadersOfEvents(t *testing.T) {
	var l eventLog
	l.begin(time.Unix(1, 0))
	slow := l.follow(t.Context(), 0)
	const n = keepEvents // all are kept, however slow a reader is
	var readers []<-chan topology.Event
	for range 8 {
		readers = append(readers, l.follow(t.Context(), 0))
	}
	var done sync.WaitGroup
	start := l.last
	for _, ch := range readers {
		done.Go(func() {
			for want := start + 1; want <= start+n; want++ {
				if ev := <-ch; ev.Sequence != want {
					t.Errorf("event %d, want %d", ev.Sequence, want)
					return
				}
			}
		})
	}
	for range n {
		l.add(topology.Event{})
	}
	done.Wait()
	for range 3 * keepEvents {
		l.add(topology.Event{})
	}
	gap := false
	for read := start; read < l.last; {
		ev := <-slow
		if ev.Sequence <= read {
			t.Fatalf("event %d after %d", ev.Sequence, read)
		}
		gap = gap || ev.Sequence > read+1
		read = ev.Sequence
	}
	if !gap {
		t.Error("the slow reader got events that are not kept")
	}
	ahead := l.follow(t.Context(), l.last+1000)
	l.add(topology.Event{})
	if ev := <-ahead; ev.Sequence != l.last {
		t.Errorf("event %d for a reader from a controller that was ahead", ev.Sequence)
	}
}

// A reader can come from an earlier controller before this one has anything to tell.
func TestOldReaderOfNewController(t *testing.T) {
	var l eventLog
	l.begin(time.Unix(1_700_000_000, 0))
	if next, added := l.since(1); len(next) > 0 || added == nil {
		t.Fatalf("got %+v out of nothing", next)
	}
	ch := l.follow(t.Context(), 1)
	l.add(topology.Event{Message: "first"})
	if ev := <-ch; ev.Message != "first" {
		t.Errorf("got %+v", ev)
	}
}
