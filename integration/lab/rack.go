package lab

import (
	"errors"
	"fmt"
	"os"
)

// rack is the switch with access ports, br-tor, to which machines in VLANs are
// plugged: an Open vSwitch of its own, behind the outside switch. The kernel need not
// know VLANs.
func (l *Lab) rack() *Host { return l.Host("tor") }

// rackUp starts the rack's switch when it is first needed.
func (l *Lab) rackUp() error {
	return l.update(func(s *state) error {
		if s.Outside.Rack {
			return nil
		}
		if err := l.startRack(); err != nil {
			return fmt.Errorf("starting the switch for VLANs: %w", err)
		}
		s.Outside.Rack = true
		return nil
	})
}

func (l *Lab) startRack() error {
	h, ext := l.rack(), l.namespace("ext")
	ns := h.Namespace()
	// What an interrupted call has left of one is made anew.
	if err := errors.Join(killAll(inhabitants([]string{ns})), deleteNamespace(ns), os.RemoveAll(h.dir())); err != nil {
		return err
	}
	if err := script(
		fmt.Sprintf("ip -n %s link del %s 2>/dev/null || true", ext, h.Name),
		"ip netns add "+ns,
		fmt.Sprintf("ip -n %s link set lo up", ns),
		fmt.Sprintf("ip netns exec %s sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1", ns),
		fmt.Sprintf("ip link add trunk netns %s mtu %d type veth peer name %s netns %s mtu %d", ns, physicalMTU, h.Name, ext, physicalMTU),
		noOffload(ns, "trunk"),
		noOffload(ext, h.Name),
		fmt.Sprintf("ip -n %s link set %s master %s up", ext, h.Name, outsideBridge),
		fmt.Sprintf("ip -n %s link set trunk up", ns),
	); err != nil {
		return err
	}
	if err := h.start(); err != nil {
		return err
	}
	_, err := h.Vsctl("add-br", "br-tor", "--", "set", "bridge", "br-tor", "datapath_type=netdev", "fail_mode=standalone",
		"--", "add-port", "br-tor", "trunk")
	return err
}
