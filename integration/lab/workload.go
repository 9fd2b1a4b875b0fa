package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// AttachConfig says what a workload is like: what a container runtime would know.
type AttachConfig struct {
	InterfaceID string
	MAC         string
	Addresses   []netip.Prefix
	Gateways    []netip.Addr
	MTU         int // bytes; 0 means 1,450, which fits through VXLAN on any Ethernet
	// Interface is the interface's name in the namespace; empty means eth0.
	Interface string
}

// Workload is a namespace with an interface, eth0 if nothing else is said, whose other
// end is a port of a host's br-int. Several can share a namespace: see AddPort.
type Workload struct {
	lab   *Lab
	ID    string // the interface id
	entry *Entry
}

// Attach makes a workload on a host.
func (l *Lab) Attach(host *Host, cfg AttachConfig) (*Workload, error) {
	w, err := l.enter(host, "", cfg)
	if err != nil {
		return nil, err
	}
	if err := run("ip", "netns", "add", w.Namespace()); err != nil {
		return nil, errors.Join(err, w.Detach())
	}
	if err := w.build(host, cfg); err != nil {
		return nil, err
	}
	return w, nil
}

// AddPort gives the workload's namespace one more interface, which is a workload of
// its own: it has an interface id, and is plugged in and detached by itself. The
// namespace goes with the last of them.
func (w *Workload) AddPort(cfg AttachConfig) (*Workload, error) {
	host := w.Host()
	p, err := w.lab.enter(host, w.Namespace(), cfg)
	if err != nil {
		return nil, err
	}
	if err := p.build(host, cfg); err != nil {
		return nil, err
	}
	return p, nil
}

// enter writes a workload down before it is made, so that Down finds it. An empty
// namespace is a new one.
func (l *Lab) enter(host *Host, namespace string, cfg AttachConfig) (*Workload, error) {
	w := &Workload{lab: l, ID: cfg.InterfaceID, entry: &Entry{Host: host.Name, Namespace: namespace, MAC: cfg.MAC, Interface: cfg.Interface}}
	for _, a := range cfg.Addresses {
		w.entry.Addresses = append(w.entry.Addresses, a.Addr().String())
	}
	return w, l.update(func(s *state) error {
		if e := s.Workloads[cfg.InterfaceID]; e != nil {
			return fmt.Errorf("%s is attached already, to host %s", cfg.InterfaceID, e.Host)
		}
		n := 1
		for id, e := range s.Workloads {
			n = max(n, e.Number+1)
			if e.Namespace == namespace && interfaceName(e.Interface) == interfaceName(cfg.Interface) {
				return fmt.Errorf("%s cannot have interface %s: %s has it, in the same namespace", cfg.InterfaceID, interfaceName(cfg.Interface), id)
			}
		}
		w.entry.Number, w.entry.Port = n, fmt.Sprintf("w%d", n)
		if namespace == "" {
			w.entry.Namespace = l.namespace(w.entry.Port)
		}
		s.Workloads[cfg.InterfaceID] = w.entry
		return nil
	})
}

// build makes the workload's interface and plugs it in, or leaves nothing.
func (w *Workload) build(host *Host, cfg AttachConfig) error {
	e := w.Entry()
	if err := makeLink(e.Namespace, host.Namespace(), e.Port, cfg); err != nil {
		return errors.Join(fmt.Errorf("making the interface of %s: %w", w.ID, err), w.Detach())
	}
	if err := w.Plug(); err != nil {
		return errors.Join(err, w.Detach())
	}
	return nil
}

// Plug adds the workload's port to br-int and says whose it is.
func (w *Workload) Plug() error {
	e := w.Entry()
	_, err := w.Host().Vsctl("--no-wait", "--may-exist", "add-port", "br-int", e.Port,
		"--", "set", "Interface", e.Port, "external_ids:iface-id="+w.ID, `external_ids:attached-mac="`+e.MAC+`"`)
	return err
}

// Unplug removes the workload's port from br-int.
func (w *Workload) Unplug() error {
	return w.Host().removePort(w.Port())
}

func (h *Host) removePort(port string) error {
	_, err := h.Vsctl("--no-wait", "--if-exists", "del-port", "br-int", port)
	return err
}

// MoveTo moves the workload's interface to another host, as a live migration
// does at its end: the namespace stays, its other end appears elsewhere.
func (w *Workload) MoveTo(to *Host) error {
	from, old := w.Host(), w.Port()
	port := old + "m"
	if strings.HasSuffix(old, "m") {
		port = strings.TrimSuffix(old, "m")
	}
	if err := script(
		fmt.Sprintf("ip -n %s link set %s netns %s name %s", from.Namespace(), old, to.Namespace(), port),
		fmt.Sprintf("ip -n %s link set %s up", to.Namespace(), port),
	); err != nil {
		return err
	}
	if err := w.lab.update(func(*state) error {
		w.entry.Host, w.entry.Port = to.Name, port
		return nil
	}); err != nil {
		return err
	}
	// As in a real migration, both hosts have the port for a while.
	if err := w.Plug(); err != nil {
		return err
	}
	return from.removePort(old)
}

// Detach removes the workload, and ends what still runs in it, unless another port is
// in its namespace.
func (w *Workload) Detach() error {
	ns, last := w.Namespace(), !w.shares()
	errs := []error{w.Unplug()}
	if last {
		errs = append(errs, killAll(inhabitants([]string{ns})))
	}
	if slices.Contains(namespaces(ns), ns) {
		errs = append(errs, removeLink(ns, w.Interface()))
		if last {
			errs = append(errs, deleteNamespace(ns))
		}
	}
	return errors.Join(append(errs, w.lab.update(func(s *state) error {
		delete(s.Workloads, w.ID)
		return nil
	}))...)
}

// shares says whether another workload is in the namespace.
func (w *Workload) shares() bool {
	for id, e := range w.lab.Workloads() {
		if id != w.ID && e.Namespace == w.Namespace() {
			return true
		}
	}
	return false
}

// Workload finds a workload by its interface id.
func (l *Lab) Workload(id string) (*Workload, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.state.Workloads[id]
	if e == nil {
		return nil, fmt.Errorf("lab %s has no workload %q: see \"dovetail lab list\"", l.Name, id)
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

// Entry is what is written down of the workload now.
func (w *Workload) Entry() Entry {
	w.lab.mu.Lock()
	defer w.lab.mu.Unlock()
	return *w.entry
}

// Namespace is the workload's network namespace.
func (w *Workload) Namespace() string { return w.Entry().Namespace }

// Host is where the workload is.
func (w *Workload) Host() *Host { return w.lab.Host(w.Entry().Host) }

// Port is the name of the workload's port on br-int.
func (w *Workload) Port() string { return w.Entry().Port }

// Interface is the name of the workload's interface in its namespace.
func (w *Workload) Interface() string { return interfaceName(w.Entry().Interface) }

// MAC is the workload's Ethernet address.
func (w *Workload) MAC() string { return w.Entry().MAC }

// Command is a program in the workload's namespace.
func (w *Workload) Command(args ...string) *exec.Cmd { return commandIn(w.Namespace(), args) }

// Ping is the function Ping, from the workload.
func (w *Workload) Ping(ctx context.Context, to netip.Addr) error {
	if err := Ping(ctx, w, to); err != nil {
		return fmt.Errorf("workload %s: %w", w.ID, err)
	}
	return nil
}

// NewPinger starts a pinger in the workload. Stop must be called.
func (w *Workload) NewPinger(to netip.Addr, interval time.Duration) (*Pinger, error) {
	return NewPinger(w, to, interval)
}

// TCP is the function TCP, from the workload.
func (w *Workload) TCP(to Machine, addr netip.Addr, timeout time.Duration) error {
	return TCP(w, to, addr, timeout)
}

// Send sends an Ethernet frame from the workload, whatever it says.
func (w *Workload) Send(frame []byte) error { return sendAt(w, w.Interface(), frame) }

// Sniff starts to listen at the workload: see the function Sniff.
func (w *Workload) Sniff() (*Sniffer, error) { return sniffAt(w, w.Interface()) }
