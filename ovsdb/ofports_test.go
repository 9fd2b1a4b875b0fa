package ovsdb

import (
	"fmt"
	"maps"
	"testing"

	"github.com/dovetail-sdn/dovetail/internal/ovstest"
)

func TestPatchOFPorts(t *testing.T) {
	mappings := map[string]string{}
	for n := range 2001 {
		mappings[fmt.Sprintf("net%d", n)] = "br-ex"
	}
	ports := PatchOFPorts(mappings)
	seen := map[uint32]bool{}
	for name, p := range ports {
		if p < 61000 || p > 62999 || seen[p] {
			t.Errorf("%s has port %d", name, p)
		}
		seen[p] = true
	}
	if len(ports) != 2000 || !maps.Equal(ports, PatchOFPorts(mappings)) {
		t.Errorf("%d ports, or others each time", len(ports))
	}
	// Numbers are in flows of running switches: they must not change with a version.
	want := map[string]uint32{"external": 61394, "dmz": 61960}
	if got := PatchOFPorts(map[string]string{"external": "br-ex", "dmz": "br-dmz"}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestPatchPortsGetNumbers: those that a predecessor made without get theirs, and
// what is in the way is named.
func TestPatchPortsGetNumbers(t *testing.T) {
	c := startController(t, Config{}, nil)
	h := ovstest.Start(t)
	h.StartSwitch()
	here, there := PatchPorts("ext", "br-ex")
	number := PatchOFPorts(map[string]string{"ext": "br-ex"})["ext"]
	owner := "external_ids:dovetail-owner=dovetail"
	h.Vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", owner, "--", "add-br", "br-ex",
		"--", "add-port", "br-int", here, "--", "set", "port", here, owner, "external_ids:dovetail-physnet=ext",
		"--", "set", "interface", here, owner, "type=patch", "options:peer="+there,
		"--", "add-port", "br-ex", there, "--", "set", "port", there, owner, "external_ids:dovetail-physnet=ext",
		"--", "set", "interface", there, owner, "type=patch", "options:peer="+here,
		"--", "add-port", "br-int", "squat", "--", "set", "interface", "squat", "type=dummy", fmt.Sprintf("ofport_request=%d", number))
	waitVsctl(t, h, fmt.Sprint(number), "get", "interface", "squat", "ofport")
	waitVsctl(t, h, "1", "get", "interface", there, "ofport")
	h.Vsctl("set", "open_vswitch", ".", "external_ids:system-id=h1", "external_ids:dovetail-encap-ip=192.0.2.1",
		"external_ids:dovetail-bridge-mappings=ext:br-ex")
	h.Vsctl("set-manager", "tcp:"+c.addr)
	c.untilCalls(t, 1, "ready h1") // all but the patch port is well
	c.untilProblem(t, "h1", fmt.Sprintf("OpenFlow port %d of br-int, which the port %s needs, is taken by squat", number, here))
	h.Vsctl("clear", "interface", "squat", "ofport_request")
	c.untilProblem(t, "h1", "")
	waitVsctl(t, h, fmt.Sprint(number), "get", "interface", here, "ofport")
	waitVsctl(t, h, "[]", "get", "interface", there, "ofport_request")
	if n := c.count("repaired"); n != 0 {
		t.Error(c.dump())
	}
}
