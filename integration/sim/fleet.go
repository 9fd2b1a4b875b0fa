package sim

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
)

// Config says what a fleet is.
type Config struct {
	// Manager is the controller's OVSDB address, HOST:PORT.
	Manager string
	// Hosts is the number of hosts, named sim1, sim2, …
	Hosts int
	// FirstVTEP is the tunnel address of the first host; the others follow.
	FirstVTEP netip.Addr
}

// Fleet is a number of simulated hosts.
type Fleet struct {
	cfg   Config
	pool  *pool
	hosts []*Host
}

// NewFleet makes hosts that do nothing before Run.
func NewFleet(cfg Config) *Fleet {
	f := &Fleet{cfg: cfg, pool: newPool()}
	vtep := cfg.FirstVTEP
	for i := range cfg.Hosts {
		f.hosts = append(f.hosts, newHost(f, fmt.Sprintf("sim%d", i+1), vtep))
		vtep = vtep.Next()
	}
	return f
}

// Run keeps the connections of all hosts until ctx ends.
func (f *Fleet) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, h := range f.hosts {
		all.Go(func() { h.run(ctx) })
	}
}

// Hosts are all hosts, in the order of their numbers.
func (f *Fleet) Hosts() []*Host { return f.hosts }

// Traffic is the sum of what all switches were sent.
func (f *Fleet) Traffic() Traffic {
	var sum Traffic
	for _, h := range f.hosts {
		t := h.Traffic()
		sum.Sessions += t.Sessions
		sum.FlowMods += t.FlowMods
		sum.Bytes += t.Bytes
	}
	return sum
}

// Flows is the number of flows that all switches have together.
func (f *Fleet) Flows() int {
	n := 0
	for _, h := range f.hosts {
		n += h.Flows()
	}
	return n
}
