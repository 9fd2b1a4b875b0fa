package controller

import (
	"testing"

	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/pipeline"
)

// Flows and the ports that they speak of are made by two packages that do not know each
// other: they have to mean the same numbers.
func TestPortsAreWhatFlowsExpect(t *testing.T) {
	for what, pair := range map[string][2]uint32{
		"the tunnel port":           {ovsdb.TunnelOFPort, pipeline.TunnelPort},
		"the tick port":             {ovsdb.TickOFPort, pipeline.TickPort},
		"links ask under":           {ovsdb.LinkVNI, pipeline.ProbeVNI},
		"links come back under":     {ovsdb.LinkBackVNI, pipeline.LinkBackVNI},
		"presence asks under":       {ovsdb.PresenceVNI, pipeline.PresenceVNI},
		"presence comes back under": {ovsdb.PresenceBackVNI, pipeline.PresenceBackVNI},
		"stand-in asks under":       {ovsdb.StandInVNI, pipeline.StandInVNI},
		"stand-in comes back under": {ovsdb.StandInBackVNI, pipeline.StandInBackVNI},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: ovsdb has %d, pipeline %d", what, pair[0], pair[1])
		}
	}
}
