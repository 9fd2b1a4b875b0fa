package store

import (
	"slices"

	"github.com/dovetail-sdn/dovetail/topology"
)

// subject is what an event is about.
type subject struct {
	key     topology.Key
	binding bool
}

func (e Event) subject() subject {
	switch {
	case e.BindingAfter != nil:
		return subject{e.BindingAfter.Endpoint, true}
	case e.BindingBefore != nil:
		return subject{e.BindingBefore.Endpoint, true}
	case e.After != nil:
		return subject{e.After.Key(), false}
	}
	return subject{e.Before.Key(), false}
}

// afterObjects is the place of bindings in the order of creation.
const afterObjects = 100

// order sorts events: deletions first, what refers to others before those; then
// the rest in the order of creation.
func (e Event) order() int {
	sub := e.subject()
	place := sub.key.Kind.Order()
	if sub.binding {
		place = afterObjects
	}
	if e.After == nil && e.BindingAfter == nil {
		return -1 - place
	}
	return place
}

// compact merges the batches that follow the initial state into one in which each
// object has at most one event.
func compact(queue []Batch) []Batch {
	first := 0
	for first < len(queue) && queue[first].Initial {
		first++
	}
	at := map[subject]int{}
	var merged []Event
	for _, b := range queue[first:] {
		for _, ev := range b.Events {
			sub := ev.subject()
			if i, ok := at[sub]; ok {
				merged[i].After, merged[i].BindingAfter = ev.After, ev.BindingAfter
				continue
			}
			at[sub] = len(merged)
			merged = append(merged, ev)
		}
	}
	merged = slices.DeleteFunc(merged, func(e Event) bool { // created and deleted again
		return e.Before == nil && e.After == nil && e.BindingBefore == nil && e.BindingAfter == nil
	})
	slices.SortStableFunc(merged, func(a, b Event) int { return a.order() - b.order() })
	return append(slices.Clone(queue[:first]), Batch{Events: merged, Revision: queue[len(queue)-1].Revision})
}
