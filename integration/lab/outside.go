package lab

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
)

// MaxOutside is how many machines a lab can have outside.
const MaxOutside = 200

// OutsideConfig says what a machine outside is like.
type OutsideConfig struct {
	// Name is up to 12 lower-case letters, digits and hyphens.
	Name      string         `json:"name"`
	Addresses []netip.Prefix `json:"addresses,omitempty"` // of eth0, IPv4 and IPv6
	VLAN      int            `json:"vlan,omitempty"`      // 1 to 4094; 0 is untagged
	MTU       int            `json:"mtu,omitempty"`       // bytes, of eth0; 0 means 1,500, which is the most
	// Forward makes the machine a router, of IPv4 and IPv6.
	Forward bool `json:"forward,omitempty"`
	// Underlay gives the machine a second interface, ul0, on the lab's underlay, so
	// that it and the controller reach each other by IP: see ManagementAddress.
	Underlay bool `json:"underlay,omitempty"`
}

// OutsideEntry is what is written down of a machine outside.
type OutsideEntry struct {
	OutsideConfig
	Number int `json:"number"`
}

// Outside is a machine outside: a namespace whose interface eth0 is plugged into the
// outside switch, to which gateway hosts are cabled as well (see Host.MapBridge). Its
// methods are safe for concurrent use.
type Outside struct {
	Name   string
	lab    *Lab
	number int
}

// The longest name of an interface with the name in it, "to-" and the name, has 15 bytes.
var goodOutside = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$`)

func (cfg OutsideConfig) check() error {
	switch {
	case !goodOutside.MatchString(cfg.Name):
		return fmt.Errorf("name of a machine outside %q: use 1 to 12 lower-case letters, digits and hyphens", cfg.Name)
	case cfg.VLAN < 0 || cfg.VLAN > 4094:
		return fmt.Errorf("VLAN %d: it is 1 to 4094, or 0 for untagged", cfg.VLAN)
	case cfg.MTU != 0 && (cfg.MTU < 576 || cfg.MTU > physicalMTU):
		return fmt.Errorf("MTU %d: it is 576 to %d outside", cfg.MTU, physicalMTU)
	}
	for _, a := range cfg.Addresses {
		if !a.IsValid() {
			return fmt.Errorf("machine %s outside has an address that is none", cfg.Name)
		}
	}
	return nil
}

// Outside makes a machine outside, and the outside switch if there is none yet.
func (l *Lab) Outside(cfg OutsideConfig) (*Outside, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if err := l.outsideSwitch(); err != nil {
		return nil, err
	}
	if cfg.VLAN != 0 {
		if err := l.rackUp(); err != nil {
			return nil, err
		}
	}
	o, err := l.enterOutside(cfg)
	if err != nil {
		return nil, err
	}
	if err := o.build(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("making machine %s outside: %w", cfg.Name, err), o.Remove())
	}
	return o, nil
}

// enterOutside writes a machine down before it is made, with a number of its own.
func (l *Lab) enterOutside(cfg OutsideConfig) (*Outside, error) {
	o := &Outside{Name: cfg.Name, lab: l}
	return o, l.update(func(s *state) error {
		if _, ok := s.Outside.Machines[cfg.Name]; ok {
			return fmt.Errorf("lab %s has a machine %s outside already", l.Name, cfg.Name)
		}
		taken := map[int]bool{}
		for _, e := range s.Outside.Machines {
			taken[e.Number] = true
		}
		for o.number = 1; taken[o.number]; o.number++ {
		}
		if o.number > MaxOutside {
			return fmt.Errorf("lab %s has %d machines outside, and cannot have more", l.Name, MaxOutside)
		}
		s.Outside.Machines[cfg.Name] = OutsideEntry{OutsideConfig: cfg, Number: o.number}
		return nil
	})
}

func (o *Outside) build(cfg OutsideConfig) error {
	ns, ext, port := o.Namespace(), o.lab.namespace("ext"), o.port()
	if err := run("ip", "netns", "add", ns); err != nil {
		return err
	}
	if cfg.Forward {
		// Connections are spread over paths of the same cost, each on one, and answers may
		// come another way.
		if err := run("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
			"net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
			"net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1"); err != nil {
			return err
		}
	}
	if cfg.MTU == 0 {
		cfg.MTU = physicalMTU
	}
	if cfg.VLAN != 0 {
		ext = o.lab.rack().Namespace()
	}
	if err := makeLink(ns, ext, port, AttachConfig{MAC: o.MAC(), Addresses: cfg.Addresses, MTU: cfg.MTU}); err != nil {
		return err
	}
	if err := o.plug(ext, cfg.VLAN); err != nil {
		return err
	}
	if cfg.Underlay {
		return o.joinUnderlay()
	}
	return nil
}

// plug connects the far end of eth0 to the outside switch, or to the rack's.
func (o *Outside) plug(ext string, vlan int) error {
	if err := script(noOffload(ext, o.port())); err != nil {
		return err
	}
	if vlan == 0 {
		return run("ip", "-n", ext, "link", "set", o.port(), "master", outsideBridge)
	}
	_, err := o.lab.rack().Vsctl("add-port", "br-tor", o.port(), fmt.Sprintf("tag=%d", vlan))
	return err
}

// joinUnderlay makes the interface by which the controller reaches the machine.
func (o *Outside) joinUnderlay() error {
	ns, net := o.Namespace(), o.lab.namespace("net")
	return script(
		fmt.Sprintf("ip link add ul0 netns %s mtu %d type veth peer name %s netns %s mtu %d", ns, underlayMTU, o.port(), net, underlayMTU),
		noOffload(ns, "ul0"),
		noOffload(net, o.port()),
		fmt.Sprintf("ip -n %s link set %s master ubr up", net, o.port()),
		fmt.Sprintf("ip -n %s addr add %s/%d dev ul0", ns, o.ManagementAddress(), o.lab.prefixLen()),
		fmt.Sprintf("ip -n %s link set ul0 up", ns),
	)
}

// Remove removes the machine, and ends what still runs in it.
func (o *Outside) Remove() error {
	ns, port := o.Namespace(), o.port()
	errs := []error{killAll(inhabitants([]string{ns}))}
	// Namespaces go in their own time; a next machine of the name must not find the ports.
	for _, at := range []string{o.lab.namespace("ext"), o.lab.namespace("net"), o.lab.rack().Namespace()} {
		if slices.Contains(namespaces(at), at) {
			errs = append(errs, Inside(at, func() error { return deleteLink(port) }))
		}
	}
	if h := o.lab.rack(); h.PID("ovsdb-server") != 0 {
		_, err := h.Vsctl("--if-exists", "del-port", "br-tor", port)
		errs = append(errs, err)
	}
	errs = append(errs, deleteNamespace(ns), os.RemoveAll(o.dir()))
	return errors.Join(append(errs, o.lab.update(func(s *state) error {
		delete(s.Outside.Machines, o.Name)
		return nil
	}))...)
}

// FindOutside finds a machine outside by its name.
func (l *Lab) FindOutside(name string) (*Outside, error) {
	e, ok := l.Outsides()[name]
	if !ok {
		return nil, fmt.Errorf("lab %s has no machine %q outside: see \"dovetail lab list\"", l.Name, name)
	}
	return &Outside{Name: name, lab: l, number: e.Number}, nil
}

// Outsides are what is written down of all machines outside, by name.
func (l *Lab) Outsides() map[string]OutsideEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.state.Outside.Machines)
}

// Namespace is the machine's network namespace.
func (o *Outside) Namespace() string { return o.lab.namespace("o-" + o.Name) }

// MAC is the Ethernet address of eth0.
func (o *Outside) MAC() string { return fmt.Sprintf("06:dd:00:00:00:%02x", o.number) }

// ManagementAddress is the machine's address on the underlay, for OutsideConfig.Underlay.
func (o *Outside) ManagementAddress() netip.Addr { return o.lab.address(1<<(blockBits-1) + o.number) }

// Command is a program on the machine.
func (o *Outside) Command(args ...string) *exec.Cmd { return commandIn(o.Namespace(), args) }

func (o *Outside) dir() string { return o.lab.Folder("o-" + o.Name) }

// port is the other end of the machine's interfaces.
func (o *Outside) port() string { return "o-" + o.Name }

// AddAddress adds an address to eth0.
func (o *Outside) AddAddress(address netip.Prefix) error {
	args := []string{"-n", o.Namespace(), "addr", "add", address.String(), "dev", "eth0"}
	if address.Addr().Is6() {
		args = append(args, "nodad")
	}
	if err := run("ip", args...); err != nil {
		return err
	}
	return o.lab.update(func(s *state) error {
		e := s.Outside.Machines[o.Name]
		e.Addresses = append(slices.Clone(e.Addresses), address)
		s.Outside.Machines[o.Name] = e
		return nil
	})
}

// AddRoute adds a route to dst by a router, in place of one that is there.
func (o *Outside) AddRoute(dst netip.Prefix, via netip.Addr) error {
	return run("ip", "-n", o.Namespace(), "route", "replace", dst.String(), "via", via.String())
}

// Link connects two machines outside directly, with address a here and b there. The
// interfaces are called "to-" and the other's name. The MTU is in bytes; 0 means 1,500.
func (o *Outside) Link(other *Outside, a, b netip.Prefix, mtu int) error {
	if mtu == 0 {
		mtu = physicalMTU
	}
	here, there := o.Namespace(), other.Namespace()
	to, from := "to-"+other.Name, "to-"+o.Name
	if err := script(
		fmt.Sprintf("ip link add %s netns %s mtu %d type veth peer name %s netns %s mtu %d", to, here, mtu, from, there, mtu),
		noOffload(here, to),
		noOffload(there, from),
		fmt.Sprintf("ip -n %s addr add %s dev %s", here, a, to),
		fmt.Sprintf("ip -n %s addr add %s dev %s", there, b, from),
		fmt.Sprintf("ip -n %s link set %s up", here, to),
		fmt.Sprintf("ip -n %s link set %s up", there, from),
	); err != nil {
		return fmt.Errorf("connecting machines %s and %s: %w", o.Name, other.Name, err)
	}
	return nil
}
