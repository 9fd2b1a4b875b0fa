package topology

import (
	"strings"
	"time"
)

// Op is what a Change does.
type Op int

// The operations of a Change.
const (
	// OpPut creates or replaces. Object's Allocated, Revision and Created are ignored.
	OpPut Op = iota
	// OpDelete removes; a missing object is a *NotFoundError.
	OpDelete
	// OpRegister creates a host or takes in what it now says of itself: only
	// Allocated is taken from Object, a *Host, and of that all but DatapathID.
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

// kindOrder is the order in which objects are created, so that what an object
// refers to is there before it; removal goes the other way.
var kindOrder = []Kind{KindHost, KindExternal, KindGateway, KindTenant, KindNetwork, KindRouter, KindEndpoint, KindFloating}

// Kinds are all kinds of resource in the order of creation: what an object refers
// to comes before it.
func Kinds() []Kind { return append([]Kind(nil), kindOrder...) }

// kindList is for messages.
func kindList() string {
	names := make([]string, len(kindOrder))
	for i, k := range kindOrder {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// Order is the kind's place in Kinds, or -1.
func (k Kind) Order() int {
	for i, o := range kindOrder {
		if o == k {
			return i
		}
	}
	return -1
}

// Scoped says whether objects of the kind belong to a tenant.
func (k Kind) Scoped() bool {
	return k == KindNetwork || k == KindRouter || k == KindEndpoint || k == KindFloating
}

// Plural is the kind in the API's paths and the command line: "floating-ips".
func (k Kind) Plural() string {
	switch k {
	case KindExternal:
		return "external-networks"
	case KindFloating:
		return "floating-ips"
	}
	return strings.ToLower(string(k)) + "s"
}

// New returns an empty object of the kind, or nil for an unknown one.
func New(kind Kind) Object {
	switch kind {
	case KindTenant:
		return &Tenant{}
	case KindNetwork:
		return &Network{}
	case KindRouter:
		return &Router{}
	case KindEndpoint:
		return &Endpoint{}
	case KindHost:
		return &Host{}
	case KindExternal:
		return &ExternalNetwork{}
	case KindGateway:
		return &Gateway{}
	case KindFloating:
		return &FloatingIP{}
	}
	return nil
}
