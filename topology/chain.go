package topology

import (
	"slices"
	"strings"
	"time"
)

// RouterKey is the key of the chain's router.
func (c *Chain) RouterKey() Key { return Key{KindRouter, c.Metadata.Tenant, c.Spec.Router} }

// FunctionKeys are the keys of the chain's functions, in the order of the spec's.
func (c *Chain) FunctionKeys() []Key {
	keys := make([]Key, len(c.Spec.Functions))
	for i, s := range c.Spec.Functions {
		keys[i] = functionKey(c.Metadata.Tenant, s)
	}
	return keys
}

// functionKey reads a reference to a service function, as a chain of the tenant writes it.
func functionKey(tenant, s string) Key {
	if t, name, ok := strings.Cut(s, "/"); ok {
		return Key{KindServiceFunction, t, name}
	}
	return Key{KindServiceFunction, tenant, s}
}

// hop is what is allocated for the chain at a function; the zero value if it has no such
// hop. The chain may be nil.
func (c *Chain) hop(function Key) HopAllocation {
	if c != nil {
		for _, h := range c.Allocated.Hops {
			if functionKey("", h.Function) == function {
				return h
			}
		}
	}
	return HopAllocation{}
}

// Tag is the VLAN that packets of the chain have at the hop's function, which is f; 0 if
// they have none.
func (h HopAllocation) Tag(f *ServiceFunction) int {
	if !f.Spec.Tagged {
		return 0
	}
	return h.VLAN
}

// Endpoints are the keys of the endpoints that are instances of the function, two for
// each one: where packets of the direction forward go in, and where they come out.
func (f *ServiceFunction) Endpoints() []Key {
	keys := make([]Key, 0, 2*len(f.Spec.Instances))
	for _, in := range f.Spec.Instances {
		out := in.Out
		if out == "" {
			out = in.In
		}
		keys = append(keys, Key{KindEndpoint, f.Metadata.Tenant, in.In}, Key{KindEndpoint, f.Metadata.Tenant, out})
	}
	return keys
}

// Interval is the time between two questions.
func (p *Probe) Interval() time.Duration {
	if p.IntervalMillis == 0 {
		return time.Second
	}
	return time.Duration(p.IntervalMillis) * time.Millisecond
}

// Limit is how many questions in a row stay without an answer before an instance is taken
// for dead.
func (p *Probe) Limit() int {
	if p.Failures == 0 {
		return 3
	}
	return p.Failures
}

// sharedWith says whether chains of the tenant may use the function.
func (f *ServiceFunction) sharedWith(tenant string) bool {
	return f.Metadata.Tenant == tenant || slices.Contains(f.Spec.SharedWith, tenant)
}

// chainVNIs are the first and the last of the VNIs that say where in a chain a packet is.
func chainVNIs(id uint32) (first, last uint32) {
	first = MaxVNI + 1 + id<<10 // a generation, a direction, a hop and an instance follow
	return first, first + 1<<10 - 1
}
