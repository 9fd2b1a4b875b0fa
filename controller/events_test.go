package controller

import (
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
