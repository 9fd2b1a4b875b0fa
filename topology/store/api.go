package store

import "github.com/dovetail-sdn/dovetail/topology"

// Op is what a Change does.
type Op int

// The operations of a Change.
const (
	// OpPut creates or replaces.
	OpPut Op = iota
	// OpDelete removes; a missing object is a *topology.NotFoundError.
	OpDelete
)

// Change is one step of an atomic Apply.
type Change struct {
	Op     Op
	Key    topology.Key
	Object topology.Object // for OpPut; Allocated and Metadata.Revision are ignored
	// IfRevision makes the change conditional: the object must be at this
	// revision; 0 means it must not exist; nil means any.
	IfRevision *int64
}

// Event is one committed change, in commit order. Before nil is a creation,
// After nil a deletion. Exactly one of the pairs is set.
type Event struct {
	Before, After               topology.Object
	BindingBefore, BindingAfter *topology.Binding
}
