package controller

import (
	"testing"

	"github.com/dovetail-sdn/dovetail/ofctrl"
	"github.com/dovetail-sdn/dovetail/openflow"
)

func TestDriftText(t *testing.T) {
	flow := ofctrl.Drift{Kind: ofctrl.DriftMissing, ID: openflow.ID{Table: 60, Priority: 100, Cookie: 0xab}}
	group := ofctrl.Drift{Kind: ofctrl.DriftForeign, ID: openflow.ID{Kind: openflow.EntryGroup, Number: 7}}
	for want, got := range map[string]string{
		"missing entry put right: table 60, priority 100, cookie 0xab": driftText(flow),
		"foreign group 7 put right":                                    driftText(group),
		"3 entries put right: 2 missing, 1 foreign":                    driftSummary([]ofctrl.Drift{flow, group, flow}),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
