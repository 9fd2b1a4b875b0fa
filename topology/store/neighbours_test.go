package store

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
)

func TestNeighboursAreKept(t *testing.T) {
	s := newStore(t)
	want := map[netip.Addr]topology.MAC{
		netip.MustParseAddr("192.0.2.1"):   {2, 0, 0, 0, 0, 1},
		netip.MustParseAddr("2001:db8::1"): {2, 0, 0, 0, 0, 2},
	}
	for _, known := range []map[netip.Addr]topology.MAC{want, nil} {
		if err := s.KeepNeighbours(t.Context(), "internet", known); err != nil {
			t.Fatal(err)
		}
		all, err := s.Neighbours(t.Context())
		if err != nil || !maps.Equal(all["internet"], known) || len(all) != min(len(known), 1) {
			t.Errorf("%v, %v; want %v", all, err, known)
		}
	}
}
