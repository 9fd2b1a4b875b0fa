package ovstest

import "path/filepath"

// Appctl runs ovs-appctl on the host's ovs-vswitchd.
func (h *Host) Appctl(args ...string) string {
	h.tb.Helper()
	return h.run("ovs-appctl", append([]string{"-t", filepath.Join(h.Dir, "vswitchd.ctl")}, args...)...)
}
