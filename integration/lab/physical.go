package lab

import (
	"fmt"
	"regexp"
	"strings"
)

// physicalMTU is what the outside switch takes, in bytes of IP.
const physicalMTU = 1500

// outsideBridge is the outside switch, in a namespace of its own. It learns MAC
// addresses and moves them at once, as a physical switch does; VLAN tags pass
// through it as they are.
const outsideBridge = "xbr"

var goodPhysnet = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// MapBridge connects the host to a physical network, as the operator of a gateway
// host does: a bridge br-phys with a cable to the outside switch, and its name in
// external_ids:dovetail-bridge-mappings, beside those that are there. It is no error
// to say it twice.
func (h *Host) MapBridge(physnet string) error {
	if !goodPhysnet.MatchString(physnet) {
		return fmt.Errorf("physical network %q: use letters, digits, hyphens, dots and underscores", physnet)
	}
	if err := h.lab.outsideSwitch(); err != nil {
		return err
	}
	// Under the lock, so that two networks that are mapped at once both stay.
	return h.lab.update(func(*state) error {
		if err := h.cable(); err != nil {
			return fmt.Errorf("connecting host %s to the outside switch: %w", h.Name, err)
		}
		return h.addMapping(physnet, "br-phys")
	})
}

// cable makes br-phys and the veth pair to the outside switch, where they are missing.
func (h *Host) cable() error {
	if _, err := h.Vsctl("br-exists", "br-phys"); err == nil {
		return nil
	}
	ns, ext := h.Namespace(), h.lab.namespace("ext")
	if err := script(
		// One that an interrupted call has left.
		fmt.Sprintf("ip -n %s link del phys0 2>/dev/null || true", ns),
		fmt.Sprintf("ip link add phys0 netns %s mtu %d type veth peer name %s netns %s mtu %d", ns, physicalMTU, h.Name, ext, physicalMTU),
		noOffload(ns, "phys0"),
		noOffload(ext, h.Name),
		fmt.Sprintf("ip -n %s link set %s master %s up", ext, h.Name, outsideBridge),
		fmt.Sprintf("ip -n %s link set phys0 up", ns),
	); err != nil {
		return err
	}
	_, err := h.Vsctl("add-br", "br-phys", "--", "set", "bridge", "br-phys", "datapath_type=netdev", "fail_mode=standalone",
		"--", "add-port", "br-phys", "phys0")
	return err
}

// noOffload is the line of a script that makes the kernel compute checksums of what
// leaves an interface, and leaves VLAN tags in the frames: userspace datapaths take
// frames as they are.
func noOffload(namespace, name string) string {
	return fmt.Sprintf("ip netns exec %s ethtool -K %s tx off rxvlan off txvlan off >/dev/null", namespace, name)
}

func (h *Host) addMapping(physnet, bridge string) error {
	out, err := h.Vsctl("--if-exists", "get", "Open_vSwitch", ".", "external_ids:dovetail-bridge-mappings")
	if err != nil {
		return err
	}
	var mappings []string
	if there := strings.Trim(out, `"`); there != "" {
		mappings = strings.Split(there, ",")
	}
	for _, m := range mappings {
		if name, to, _ := strings.Cut(strings.TrimSpace(m), ":"); name == physnet {
			if to == bridge {
				return nil
			}
			return fmt.Errorf("host %s has physical network %s on %s already", h.Name, physnet, to)
		}
	}
	all := strings.Join(append(mappings, physnet+":"+bridge), ",")
	_, err = h.Vsctl("set", "Open_vSwitch", ".", `external_ids:dovetail-bridge-mappings="`+all+`"`)
	return err
}

// CutPhysical takes the host's cable to the outside switch away, or gives it back.
func (h *Host) CutPhysical(cut bool) error {
	return setLink(h.lab.namespace("ext"), h.Name, cut)
}

func setLink(namespace, name string, cut bool) error {
	to := "up"
	if cut {
		to = "down"
	}
	return run("ip", "-n", namespace, "link", "set", name, to)
}

// outsideSwitch makes the outside switch when it is first needed. What an interrupted
// call has left of one is made anew.
func (l *Lab) outsideSwitch() error {
	return l.update(func(s *state) error {
		if s.Outside.Switch {
			return nil
		}
		ns := l.namespace("ext")
		if err := deleteNamespace(ns); err != nil {
			return err
		}
		if err := script(
			"ip netns add "+ns,
			fmt.Sprintf("ip -n %s link add %s mtu %d type bridge stp_state 0 forward_delay 0 mcast_snooping 0", ns, outsideBridge, physicalMTU),
			fmt.Sprintf("ip netns exec %s sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1", ns),
			fmt.Sprintf("ip -n %s link set %s up", ns, outsideBridge),
		); err != nil {
			return fmt.Errorf("making the outside switch: %w", err)
		}
		s.Outside.Switch = true
		return nil
	})
}
