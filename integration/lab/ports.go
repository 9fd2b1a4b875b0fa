package lab

// InternalPort is a port without a workload behind it, for tests of many.
type InternalPort struct{ Name, InterfaceID string }

// AddInternalPorts adds internal ports to br-int in one transaction.
func (h *Host) AddInternalPorts(ports []InternalPort) error {
	if len(ports) == 0 {
		return nil
	}
	args := []string{"--no-wait"}
	for _, p := range ports {
		args = append(args, "--", "add-port", "br-int", p.Name, "--", "set", "interface", p.Name, "type=internal", "external_ids:iface-id="+p.InterfaceID)
	}
	// One command line has its limits.
	const per = 300 * 13
	for i := 1; i < len(args); i += per {
		if _, err := h.Vsctl(append([]string{"--no-wait"}, args[i:min(i+per, len(args))]...)...); err != nil {
			return err
		}
	}
	return nil
}
