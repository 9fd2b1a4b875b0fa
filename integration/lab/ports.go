package lab

import "slices"

// InternalPort is a port without a workload behind it, for tests of many.
type InternalPort struct{ Name, InterfaceID string }

// portsPerCommand keeps command lines within what the kernel takes.
const portsPerCommand = 300

// AddInternalPorts adds internal ports to br-int, up to 300 in one transaction. It
// does not wait until ovs-vswitchd has made them.
func (h *Host) AddInternalPorts(ports []InternalPort) error {
	for part := range slices.Chunk(ports, portsPerCommand) {
		args := []string{"--no-wait"}
		for _, p := range part {
			args = append(args, "--", "add-port", "br-int", p.Name,
				"--", "set", "interface", p.Name, "type=internal", "external_ids:iface-id="+p.InterfaceID)
		}
		if _, err := h.Vsctl(args...); err != nil {
			return err
		}
	}
	return nil
}
