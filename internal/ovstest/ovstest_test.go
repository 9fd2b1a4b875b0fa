package ovstest

import (
	"strings"
	"testing"
)

func TestStart(t *testing.T) {
	h := Start(t)
	h.StartSwitch()
	h.Vsctl("add-br", "br0")
	if got := h.Vsctl("wait-until", "bridge", "br0", "datapath_id!=[]", "--", "get", "interface", "br0", "ofport"); got != "65534" {
		t.Errorf("ofport of the local port: %q", got)
	}
	if got := h.Ofctl("dump-flows", "br0"); !strings.Contains(got, "actions=NORMAL") {
		t.Errorf("flows of a fresh bridge: %q", got)
	}
	if got := h.Dump("Bridge.name"); strings.Count(got, " name=") != strings.Count(h.Dump(), " name=")-1 {
		t.Errorf("dump without the bridge's name: %s", got)
	}
}
