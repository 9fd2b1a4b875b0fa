package store

import "github.com/dovetail-sdn/dovetail/topology"

// Op is what a Change does.
type Op = topology.Op

// The operations of a Change.
const (
	// OpPut creates or replaces.
	OpPut = topology.OpPut
	// OpDelete removes; a missing object is a *topology.NotFoundError.
	OpDelete = topology.OpDelete
)

// Change is one step of an atomic Apply.
type Change = topology.Change

// Event is one committed change. Before nil is a creation, After nil a deletion.
// Exactly one of the pairs is set.
type Event struct {
	Before, After               topology.Object
	BindingBefore, BindingAfter *topology.Binding
}

// Batch is what one commit changed. Its objects are shared and must not be changed.
type Batch struct {
	Events []Event
	// Initial: the events are the state as it was when the watch began, as creations.
	Initial bool
	// Synced: with this batch the initial state is complete. One batch of each
	// Watcher has it, maybe without events.
	Synced bool
	// Revision is the store's revision after the batch; 0 in initial batches
	// before the one that is Synced.
	Revision int64
}

// BindingChange sets the last known place of an endpoint.
type BindingChange struct {
	Endpoint topology.Key
	Binding  *topology.Binding // nil forgets it
}
