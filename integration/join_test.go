package integration

import (
	"strings"
	"testing"
	"time"
)

// Acceptance 2: a host that only ran set-manager and set its ids is provisioned; a
// second controller start changes nothing on it; rows of others survive.
func TestAHostJoinsByItself(t *testing.T) {
	t.Parallel()
	w := start(t, 1)
	h := w.lab.Host("h1")
	w.vsctl("h1", "add-br", "br-other", "--", "set", "bridge", "br-other", "datapath_type=netdev", "external_ids:who=somebody", "fail_mode=standalone",
		"--", "set", "Open_vSwitch", ".", "external_ids:theirs=yes")
	for _, check := range []struct {
		want string
		args []string
	}{
		{"secure", []string{"get", "bridge", "br-int", "fail_mode"}},
		{"netdev", []string{"get", "bridge", "br-int", "datapath_type"}},
		{"true", []string{"get", "controller", "br-int", "is_connected"}},
	} {
		eventually(t, 15*time.Second, func() error { // the switch reports its connections now and then
			if got := w.vsctl("h1", check.args...); got != check.want {
				return errorf("ovs-vsctl %v says %q, want %q", check.args, got, check.want)
			}
			return nil
		})
	}
	if s := w.vsctl("h1", "show"); !strings.Contains(s, "type: vxlan") {
		t.Errorf("no VXLAN port:\n%s", s)
	}
	w.api.apply(t, new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24").endpoint("acme", "a", "blue").String())
	w.attach("acme/a", "h1")
	w.realized("acme/a")

	before := w.configuration(h)
	flows := w.flows("h1")
	w.killController()
	w.startController()
	w.api.realized(t, "/v1/hosts/h1")
	w.realized("acme/a")
	if after := w.configuration(h); after != before {
		t.Errorf("the database changed with the second start\nbefore %s\nafter  %s", before, after)
	}
	sameFlows(t, flows, w.flows("h1"))
	if sent := w.api.metric(t, "dovetail_openflow_flow_mods_total"); sent != 0 {
		t.Errorf("the second start sent %g flow-mods", sent)
	}
	if got := w.vsctl("h1", "get", "bridge", "br-other", "external_ids:who"); got != "somebody" {
		t.Errorf("somebody's bridge has who=%q", got)
	}
	if got := w.vsctl("h1", "get", "Open_vSwitch", ".", "external_ids:theirs"); got != "yes" {
		t.Errorf("somebody's external id is %q", got)
	}
}

// A network whose MTU does not fit the underlay says so in its status.
func TestMTUThatDoesNotFitIsReported(t *testing.T) {
	t.Parallel()
	w := start(t, 1)
	m := new(manifest).tenant("acme").network("acme", "big", "10.0.0.0/24")
	m.WriteString("  mtu: 8000\n")
	w.api.apply(t, m.endpoint("acme", "a", "big").String())
	w.attach("acme/a", "h1")
	w.realized("acme/a")
	eventually(t, 5*time.Second, func() error {
		s := w.api.get(t, "/v1/tenants/acme/networks/big").Status
		if len(s.Warnings) == 0 || !strings.Contains(s.Warnings[0], "MTU 8000") {
			return errorf("warnings are %v", s.Warnings)
		}
		return nil
	})
}
