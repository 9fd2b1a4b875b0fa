package main

import (
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
)

func TestHint(t *testing.T) {
	away := []topology.HostPart{{Name: "h1", Acknowledged: true}, {Name: "h2", Error: "not connected since 2026-01-02T03:04:05Z"}}
	with := func(kind topology.Kind, phase topology.Phase, hosts []topology.HostPart, bound string) *object {
		o := &object{Kind: kind}
		o.Status.Phase, o.Status.Hosts = phase, hosts
		if bound != "" {
			o.Status.Binding = &topology.Binding{Host: bound}
		}
		return o
	}
	for _, tc := range []struct {
		o    *object
		want string
	}{
		{with(topology.KindNetwork, topology.PhaseRealized, away, ""), ""},
		{with(topology.KindNetwork, topology.PhasePending, away[:1], ""), ""},
		{with(topology.KindNetwork, topology.PhasePending, away, ""), "if h2 does not come back: dovetail delete host h2"},
		{with(topology.KindHost, topology.PhasePending, away[1:], ""), "if h2 does not come back: dovetail delete host h2 (once no endpoint is bound there)"},
		{with(topology.KindEndpoint, topology.PhasePending, away, "h1"), "if h2 does not come back: dovetail delete host h2"},
		{with(topology.KindEndpoint, topology.PhasePending, away, "h2"), "if h2 does not come back: attach the endpoint to another host, or delete it, and then: dovetail delete host h2"},
	} {
		if got := hint(tc.o); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
