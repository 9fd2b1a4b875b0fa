package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
	"github.com/dovetail-sdn/dovetail/topology"
)

// guardedWorld has hosts h1 to h7 with descending numbers, and a gateway on some.
func guardedWorld(t *testing.T, on ...string) *world {
	w := newWorld(t)
	x := &topology.ExternalNetwork{
		Metadata: topology.Metadata{Name: "internet"}, Spec: topology.ExternalNetworkSpec{PhysicalNetwork: "physnet1"},
		Allocated: topology.ExternalNetworkAllocation{ID: 1, MTU: 1500},
	}
	g := &topology.Gateway{
		Metadata: topology.Metadata{Name: "edge"}, Spec: topology.GatewaySpec{ExternalNetwork: "internet"},
		Allocated: topology.GatewayAllocation{ID: 1, Lanes: []topology.Lane{{Host: on[0], MAC: topology.MAC{0x0e, 0, 0, 0, 0, 1}}}},
	}
	for _, h := range on {
		g.Spec.Hosts = append(g.Spec.Hosts, topology.GatewayHost{Name: h})
	}
	w.put(numbered(1), x, g)
	for i := 2; i <= 7; i++ {
		w.put(numbered(i))
	}
	w.ackAll()
	return w
}

func numbered(i int) *topology.Host {
	h := aHost(i)
	h.Allocated.ID = uint32(100 - i)
	h.Allocated.BridgeMappings = map[string]string{"physnet1": "br-phys"}
	return h
}

// links are the hosts that a host has links to.
func (w *world) links(host string) (names []string) {
	for _, l := range w.model.hosts[host].wanted.Tunnels {
		names = append(names, fmt.Sprintf("h%d", 100-l.ID))
	}
	slices.Sort(names)
	return names
}

// answers are the hosts that answer whoever watches them, whatever happens.
func (w *world) answers() (names []string) {
	for name, h := range w.model.hosts {
		want, err := openflow.Seal(h.key.String(), pipeline.Witness())
		if err != nil {
			w.t.Fatal(err)
		}
		if slices.Contains(w.contents(name), fmt.Sprintf("%v %x", want[0].ID, want[0].Sum)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func mustBeHosts(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestGatewayHostsHaveWitnesses(t *testing.T) {
	w := guardedWorld(t, "h1", "h7")
	mustBeHosts(t, "links of h1", w.links("h1"), "h4", "h5", "h6", "h7")
	mustBeHosts(t, "links of h7", w.links("h7"), "h1", "h4", "h5", "h6")
	mustBeHosts(t, "links of a witness", w.links("h5"))
	mustBeHosts(t, "who answers", w.answers(), "h4", "h5", "h6")

	w.remove(topology.Key{Kind: topology.KindHost, Name: "h5"})
	mustBeHosts(t, "links of h1 without h5", w.links("h1"), "h3", "h4", "h6", "h7")
	mustBeHosts(t, "who answers without h5", w.answers(), "h3", "h4", "h6")
}

// A host that has no deputy carries its gateway even if it hears nobody.
func TestASingleGatewayHostNeedsNoWitness(t *testing.T) {
	w := guardedWorld(t, "h1")
	mustBeHosts(t, "links of h1", w.links("h1"))
}
