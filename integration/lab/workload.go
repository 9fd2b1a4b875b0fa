package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// AttachConfig says what a workload is like: what a container runtime would know.
type AttachConfig struct {
	InterfaceID string
	MAC         string
	Addresses   []netip.Prefix
	Gateways    []netip.Addr
	MTU         int
}

// Workload is a namespace with an interface eth0 whose other end is a port of a
// host's br-int.
type Workload struct {
	lab   *Lab
	ID    string // the interface id
	entry *Entry
}

// Attach makes a workload on a host.
func (l *Lab) Attach(host *Host, cfg AttachConfig) (*Workload, error) {
	w, err := l.enter(host, cfg)
	if err != nil {
		return nil, err
	}
	if err := w.build(host, cfg); err != nil {
		return nil, errors.Join(err, w.Detach())
	}
	return w, nil
}

// enter writes a workload down before it is made, so that Down finds it.
func (l *Lab) enter(host *Host, cfg AttachConfig) (*Workload, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.state.Workloads[cfg.InterfaceID]; e != nil {
		return nil, fmt.Errorf("%s is attached already, to host %s", cfg.InterfaceID, e.Host)
	}
	n := 1
	for _, e := range l.state.Workloads {
		n = max(n, e.Number+1)
	}
	e := &Entry{Host: host.Name, Namespace: l.namespace(fmt.Sprintf("w%d", n)), Port: fmt.Sprintf("w%d", n), MAC: cfg.MAC, Number: n}
	for _, a := range cfg.Addresses {
		e.Addresses = append(e.Addresses, a.Addr().String())
	}
	l.state.Workloads[cfg.InterfaceID] = e
	return &Workload{lab: l, ID: cfg.InterfaceID, entry: e}, l.save()
}

func (w *Workload) build(host *Host, cfg AttachConfig) error {
	ns := w.Namespace()
	lines := []string{
		"ip netns add " + ns,
		fmt.Sprintf("ip -n %s link set lo up", ns),
		// Addresses are unique by the store; nobody has to look for duplicates.
		fmt.Sprintf("ip netns exec %s sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0", ns),
		fmt.Sprintf("ip link add eth0 netns %s address %s mtu %d type veth peer name %s netns %s", ns, cfg.MAC, cfg.MTU, w.entry.Port, host.Namespace()),
		fmt.Sprintf("ip netns exec %s ethtool -K eth0 tx off >/dev/null", ns),
	}
	for _, a := range cfg.Addresses {
		nodad := ""
		if a.Addr().Is6() {
			nodad = " nodad"
		}
		lines = append(lines, fmt.Sprintf("ip -n %s addr add %s dev eth0%s", ns, a, nodad))
	}
	lines = append(lines, fmt.Sprintf("ip -n %s link set eth0 up", ns), fmt.Sprintf("ip -n %s link set %s up", host.Namespace(), w.entry.Port))
	for _, g := range cfg.Gateways {
		family := "-4"
		if g.Is6() {
			family = "-6"
		}
		lines = append(lines, fmt.Sprintf("ip %s -n %s route add default via %s dev eth0", family, ns, g))
	}
	if err := script(lines...); err != nil {
		return err
	}
	return w.Plug()
}

// Plug adds the workload's port to br-int and says whose it is.
func (w *Workload) Plug() error {
	_, err := w.Host().Vsctl("--no-wait", "--may-exist", "add-port", "br-int", w.entry.Port,
		"--", "set", "Interface", w.entry.Port, "external_ids:iface-id="+w.ID, `external_ids:attached-mac="`+w.entry.MAC+`"`)
	return err
}

// Unplug removes the workload's port from br-int.
func (w *Workload) Unplug() error {
	_, err := w.Host().Vsctl("--no-wait", "--if-exists", "del-port", "br-int", w.entry.Port)
	return err
}

// MoveTo moves the workload's interface to another host, as a live migration
// does at its end: the namespace stays, its other end appears elsewhere.
func (w *Workload) MoveTo(to *Host) error {
	from := w.Host()
	old, port := w.entry.Port, w.entry.Port+"m"
	if strings.HasSuffix(old, "m") {
		port = strings.TrimSuffix(old, "m")
	}
	if err := script(
		fmt.Sprintf("ip -n %s link set %s netns %s name %s", from.Namespace(), old, to.Namespace(), port),
		fmt.Sprintf("ip -n %s link set %s up", to.Namespace(), port),
	); err != nil {
		return err
	}
	w.lab.mu.Lock()
	w.entry.Host, w.entry.Port = to.Name, port
	err := w.lab.save()
	w.lab.mu.Unlock()
	if err != nil {
		return err
	}
	// As in a real migration, both hosts have the port for a while.
	if err := w.Plug(); err != nil {
		return err
	}
	_, err = from.Vsctl("--no-wait", "--if-exists", "del-port", "br-int", old)
	return err
}

// Detach removes the workload.
func (w *Workload) Detach() error {
	errs := []error{w.Unplug()}
	if slices.Contains(namespaces(w.Namespace()), w.Namespace()) {
		errs = append(errs, script(
			// The interface goes at once; a namespace alone would take its time.
			fmt.Sprintf("ip -n %s link delete eth0 2>/dev/null || true", w.Namespace()),
			"ip netns delete "+w.Namespace()))
	}
	w.lab.mu.Lock()
	defer w.lab.mu.Unlock()
	delete(w.lab.state.Workloads, w.ID)
	return errors.Join(append(errs, w.lab.save())...)
}

// Workload finds a workload by its interface id.
func (l *Lab) Workload(id string) (*Workload, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.state.Workloads[id]
	if e == nil {
		return nil, fmt.Errorf("lab %s has no workload %q: attach it with \"dovetail lab attach %s --host h1\"", l.Name, id, id)
	}
	return &Workload{lab: l, ID: id, entry: e}, nil
}

// Workloads are what is written down of all workloads, by interface id.
func (l *Lab) Workloads() map[string]Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := map[string]Entry{}
	for id, e := range l.state.Workloads {
		list[id] = *e
	}
	return list
}

// Namespace is the workload's network namespace.
func (w *Workload) Namespace() string { return w.entry.Namespace }

// Host is where the workload is.
func (w *Workload) Host() *Host { return w.lab.Host(w.entry.Host) }

// Port is the name of the workload's port on br-int.
func (w *Workload) Port() string { return w.entry.Port }

// MAC is the workload's Ethernet address.
func (w *Workload) MAC() string { return w.entry.MAC }

// Command is a program in the workload's namespace.
func (w *Workload) Command(args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", w.Namespace()}, args...)...)
	cmd.Env = os.Environ()
	return cmd
}

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
