package rest

import (
	"context"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

// Intent is the store as the API needs it; *store.Store is one.
type Intent interface {
	// Get returns an object or a *topology.NotFoundError.
	Get(key topology.Key) (topology.Object, error)
	// List returns the objects of a kind, sorted by tenant and name; tenant ""
	// means all.
	List(kind topology.Kind, tenant string) []topology.Object
	// Apply commits all changes or none, and returns the objects as they are now,
	// in the order of changes (nil for a deletion).
	Apply(ctx context.Context, changes []store.Change) ([]topology.Object, error)
	// Health is an error while the store cannot be written.
	Health(ctx context.Context) error
}

// Realization says how far objects have come; the controller is one.
type Realization interface {
	Status(key topology.Key) topology.Status
	// StatusCounted is Status with what switches have counted, of the kinds that have
	// counters. It asks them, and waits for a bounded time, or until ctx ends.
	StatusCounted(ctx context.Context, key topology.Key) topology.Status
	// WaitRealized returns when everything that was committed for the keys is
	// realized, at once when one has failed, or with ctx's error. Keys of deleted
	// objects are waited for until every switch has acknowledged the removal.
	WaitRealized(ctx context.Context, keys []topology.Key) error
	// Events sends what happens from now on to the channel until ctx ends; a
	// reader that is too slow loses events. after > 0 first repeats those that
	// are still kept with a higher sequence number.
	Events(ctx context.Context, after uint64) <-chan topology.Event
	// Ready is an error while the controller is still starting.
	Ready() error
}

// CookieResolver is a Realization that knows which objects a flow's cookie
// stands for. Without it, GET /v1/cookies answers 501.
type CookieResolver interface {
	ResolveCookie(cookie uint64) []topology.Key
}

// Planner is an Intent that can say what an Apply would do without doing it. It
// returns what Apply would. Without it, ?dryRun=true answers 501.
type Planner interface {
	Plan(ctx context.Context, changes []store.Change) ([]topology.Object, error)
}
