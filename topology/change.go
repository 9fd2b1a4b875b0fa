package topology

import "time"

// Op is what a Change does.
type Op int

// The operations of a Change.
const (
	// OpPut creates or replaces. Object's Allocated, Revision and Created are ignored.
	OpPut Op = iota
	// OpDelete removes; a missing object is a *NotFoundError.
	OpDelete
	// OpRegister creates a host or takes in what it now says of itself: only
	// Allocated is taken from Object, a *Host, and of that all but DatapathID and ID.
	OpRegister
)

// Change is one step of an atomic set of changes.
type Change struct {
	Op     Op
	Key    Key    // may be left zero if Object is set
	Object Object // for OpPut and OpRegister
	// IfRevision makes the change conditional: the object must be at this
	// revision (else a *StaleError or *NotFoundError); 0 means it must not exist
	// (else an *ExistsError); nil means any.
	IfRevision *int64
}

// Env is what the pure functions of this package need of the world.
type Env struct {
	// Now becomes Metadata.Created of new objects.
	Now time.Time
	// Random returns random numbers, for datapath ids.
	Random func() uint64
}
