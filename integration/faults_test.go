package integration

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/sim"
	"github.com/dovetail-sdn/dovetail/openflow"
)

const (
	faultHosts     = 60
	faultTenants   = 6
	faultEndpoints = 60 // of each tenant
	faultSteps     = 150
)

// TestManyHostsSurviveFaults: simulated hosts lose their connections, their flows
// and their bridges, get slow, and the controller is killed, while endpoints come,
// go and move. In the end every object is realized, each switch has what it would
// have been given from nothing, and a controller that starts sends nothing.
func TestManyHostsSurviveFaults(t *testing.T) {
	t.Parallel()
	f := startFleet(t, faultHosts)
	var m manifest
	for i := range faultTenants {
		tenant := fmt.Sprintf("t%d", i)
		m.tenant(tenant).network(tenant, "blue", "10.0.0.0/24").network(tenant, "green", "10.0.1.0/24").router(tenant, "core", "blue", "green")
		for e := range faultEndpoints {
			m.endpoint(tenant, fmt.Sprintf("e%d", e), []string{"blue", "green"}[e%2])
		}
	}
	f.api.apply(t, m.String())
	rnd := rand.New(rand.NewPCG(1, 2)) // the same faults in every run, if not at the same moments
	for i := range faultTenants {
		for e := range faultEndpoints {
			f.put(fmt.Sprintf("t%d/e%d", i, e), rnd.IntN(faultHosts))
		}
	}
	for range faultSteps {
		f.fault(rnd)
	}
	f.allRealized()

	before := f.settled()
	for i, h := range f.fleet.Hosts() {
		if len(before[i]) == 0 {
			t.Fatalf("%s has no flows", h.Name)
		}
		h.Lose()
	}
	f.equal(before, "the hosts lost all their flows")

	f.killController()
	mods := f.fleet.Traffic().FlowMods
	f.startController()
	f.allRealized()
	if sent := f.fleet.Traffic().FlowMods - mods; sent != 0 {
		t.Errorf("a controller that found nothing changed sent %d modifications", sent)
	}
	f.equal(before, "the controller was restarted")
}

// fleetWorld is a controller with simulated hosts.
type fleetWorld struct {
	*world
	fleet *sim.Fleet
	at    map[string]int // the host of each endpoint, given as TENANT/NAME
}

func startFleet(t *testing.T, hosts int) *fleetWorld {
	t.Helper()
	w := &world{t: t, rest: freeAddress(t), ovsdb: freeAddress(t), openFlow: freeAddress(t)}
	w.begin(t.TempDir())
	f := &fleetWorld{world: w, at: make(map[string]int)}
	f.fleet = sim.NewFleet(sim.Config{Manager: w.ovsdb, Hosts: hosts, FirstVTEP: netip.MustParseAddr("198.18.0.1")})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.fleet.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	for _, h := range f.fleet.Hosts() {
		eventually(t, 30*time.Second, func() error {
			if !w.exists("/v1/hosts/" + h.Name) {
				return fmt.Errorf("host %s has not registered", h.Name)
			}
			return nil
		})
		w.api.realized(t, "/v1/hosts/"+h.Name)
	}
	return f
}

// put plugs an endpoint in on a host, after it was taken from where it was.
func (f *fleetWorld) put(id string, host int) {
	if at, ok := f.at[id]; ok {
		f.onBridge(at, func(h *sim.Host) error { return h.RemovePorts(id) })
	}
	f.at[id] = host
	f.onBridge(host, func(h *sim.Host) error { return h.AddPorts(f.api.get(f.t, endpointPath(id)).Status.InterfaceID) })
}

// onBridge does something that needs the host's bridge, which may just have been
// deleted.
func (f *fleetWorld) onBridge(host int, what func(*sim.Host) error) {
	f.t.Helper()
	eventually(f.t, 30*time.Second, func() error { return what(f.fleet.Hosts()[host]) })
}

// fault does something bad, or something ordinary at a bad moment.
func (f *fleetWorld) fault(rnd *rand.Rand) {
	f.t.Helper()
	n := rnd.IntN(faultHosts)
	h := f.fleet.Hosts()[n]
	id := fmt.Sprintf("t%d/e%d", rnd.IntN(faultTenants), rnd.IntN(faultEndpoints))
	switch k := rnd.IntN(100); {
	case k < 20:
		h.Cut()
	case k < 30:
		h.Lose()
	case k < 35:
		h.DeleteBridge()
		for e, at := range f.at { // its ports went with it
			if at == n {
				f.onBridge(n, func(h *sim.Host) error { return h.AddPorts(f.api.get(f.t, endpointPath(e)).Status.InterfaceID) })
			}
		}
	case k < 45:
		h.Slow(time.Duration(rnd.IntN(3)) * time.Millisecond)
	case k < 48:
		f.killController()
		f.startController()
	case k < 75:
		f.put(id, n)
	default:
		path := endpointPath(id)
		f.api.must(f.t, "DELETE", path, "", nil)
		f.api.must(f.t, "PUT", path, "application/json", []byte(`{"spec":{"network":"green"}}`))
	}
}

// allRealized waits until every object is, and no host is slow.
func (f *fleetWorld) allRealized() {
	f.t.Helper()
	for _, h := range f.fleet.Hosts() {
		h.Slow(0)
	}
	for _, h := range f.fleet.Hosts() {
		f.api.realized(f.t, "/v1/hosts/"+h.Name)
	}
	for id := range f.at {
		f.realized(id)
	}
}

// settled waits until no switch changes any more: what an object no longer needs
// goes after it is realized.
func (f *fleetWorld) settled() []map[openflow.ID]uint64 {
	f.t.Helper()
	last := f.states()
	eventually(f.t, 30*time.Second, func() error {
		time.Sleep(200 * time.Millisecond)
		before := last
		last = f.states()
		for i := range last {
			if !maps.Equal(before[i], last[i]) {
				return fmt.Errorf("%s still changes", f.fleet.Hosts()[i].Name)
			}
		}
		return nil
	})
	return last
}

func (f *fleetWorld) states() []map[openflow.ID]uint64 {
	var all []map[openflow.ID]uint64
	for _, h := range f.fleet.Hosts() {
		all = append(all, h.State())
	}
	return all
}

// equal waits until every switch has what it had.
func (f *fleetWorld) equal(want []map[openflow.ID]uint64, after string) {
	f.t.Helper()
	for i, h := range f.fleet.Hosts() {
		eventually(f.t, 30*time.Second, func() error {
			if have := h.State(); !maps.Equal(have, want[i]) {
				return fmt.Errorf("after %s: %s has %d entries and had %d", after, h.Name, len(have), len(want[i]))
			}
			return nil
		})
	}
}
