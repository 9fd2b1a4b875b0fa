package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
)

// Function is an instance of a service function: a namespace with two ports on a host's
// br-int, between which the kernel bridges or routes, or with one port. Its interfaces
// are called "in" and "out". What goes through it goes on without any other program;
// see Guard for a firewall. Its methods are not safe for concurrent use.
type Function struct {
	// In and Out are the two ports, each with an interface id of its own. They are the
	// same workload where there is one port.
	In, Out *Workload

	bridged bool
	routes  []Route // of a routed function
	vlans   []*VLAN
}

// Route is a static route: what goes to Dst goes to the router Via.
type Route struct {
	Dst netip.Prefix
	Via netip.Addr
}

// functionBridge joins the ports of a transparent function.
const functionBridge = "br0"

// AttachTransparent makes a bump in the wire on a host: frames that come in at one port
// leave at the other as they were, with their VLAN tags. It has no addresses and sends
// nothing of its own; those that the ports' configurations have are not used.
func (l *Lab) AttachTransparent(host *Host, in, out AttachConfig) (*Function, error) {
	in.Addresses, in.Gateways, out.Addresses, out.Gateways = nil, nil, nil, nil
	f, err := l.attachFunction(host, &in, &out)
	if err != nil {
		return nil, err
	}
	f.bridged = true
	ns := f.Namespace()
	if err := script(
		// The bridge takes no part in IP: no link-local address, no question about one.
		sysctls(ns, "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"),
		// Where the kernel would show bridged packets to the firewall of routed ones: see
		// Guard, which turns it on where that is wanted.
		hiddenFromIP(ns, true),
		fmt.Sprintf("ip -n %s link add %s type bridge stp_state 0 mcast_snooping 0", ns, functionBridge),
		fmt.Sprintf("ip -n %s link set %s up", ns, functionBridge),
	); err != nil {
		return nil, errors.Join(err, f.Detach())
	}
	if err := f.Forward(true); err != nil {
		return nil, errors.Join(err, f.Detach())
	}
	return f, nil
}

// AttachRouted makes a router of IPv4 and IPv6 on a host. Its default routes are by
// the gateways of out; other ways, as back to the sources by a gateway of in, are
// given as routes.
func (l *Lab) AttachRouted(host *Host, in, out AttachConfig, routes ...Route) (*Function, error) {
	in.Gateways = nil
	return l.attachRouted(host, in, &out, routes)
}

// AttachOneArmed makes a router with one port, called "in": what it gets there, it sends
// back there. Its default routes are by the port's gateways.
func (l *Lab) AttachOneArmed(host *Host, port AttachConfig, routes ...Route) (*Function, error) {
	return l.attachRouted(host, port, nil, routes)
}

func (l *Lab) attachRouted(host *Host, in AttachConfig, out *AttachConfig, routes []Route) (*Function, error) {
	gateways := in.Gateways
	if out != nil {
		gateways = out.Gateways
	}
	f, err := l.attachFunction(host, &in, out)
	if err != nil {
		return nil, err
	}
	for _, g := range gateways {
		f.routes = append(f.routes, Route{netip.PrefixFrom(unspecified(g), 0), g})
	}
	err = run("sh", "-e", "-c", sysctls(f.Namespace(),
		// Answers may come another way. Each port answers for its own addresses, and sources
		// are not told of shorter ways.
		"net.ipv4.conf.*.rp_filter=0", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2",
		"net.ipv4.conf.*.send_redirects=0",
		// A port that is down for a while keeps its addresses.
		"net.ipv6.conf.*.keep_addr_on_down=1"))
	if err == nil {
		err = f.Forward(true)
	}
	for _, r := range routes {
		if err == nil {
			err = f.AddRoute(r)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Detach())
	}
	return f, nil
}

// attachFunction makes the namespace and the ports; out is nil if there is one port.
func (l *Lab) attachFunction(host *Host, in, out *AttachConfig) (*Function, error) {
	in.Interface = "in"
	w, err := l.Attach(host, *in)
	if err != nil || out == nil {
		return &Function{In: w, Out: w}, err
	}
	out.Interface = "out"
	p, err := w.AddPort(*out)
	if err != nil {
		return nil, errors.Join(err, w.Detach())
	}
	return &Function{In: w, Out: p}, nil
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// sysctls is a line of shell that sets the kernel's settings of a namespace; a * stands
// for all interfaces and those to come.
func sysctls(ns string, settings ...string) string {
	var all []string
	for _, s := range settings {
		if before, after, ok := strings.Cut(s, "*"); ok {
			for _, name := range []string{"all", "default", "in", "out"} {
				all = append(all, before+name+after)
			}
			continue
		}
		all = append(all, s)
	}
	// -e: a function with one port has no "out".
	return fmt.Sprintf("ip netns exec %s sysctl -eqw %s", ns, strings.Join(all, " "))
}

// Namespace is the function's network namespace.
func (f *Function) Namespace() string { return f.In.Namespace() }

// Command is a program in the function's namespace.
func (f *Function) Command(args ...string) *exec.Cmd { return f.In.Command(args...) }

// ports are the function's ports, each once.
func (f *Function) ports() []*Workload {
	if f.In == f.Out {
		return []*Workload{f.In}
	}
	return []*Workload{f.In, f.Out}
}

// AddRoute adds a route of a routed function, in place of one to the same Dst.
func (f *Function) AddRoute(r Route) error {
	if f.bridged {
		return fmt.Errorf("function %s is transparent, and routes nothing", f.In.ID)
	}
	f.routes = slices.DeleteFunc(f.routes, func(old Route) bool { return old.Dst == r.Dst })
	f.routes = append(f.routes, r)
	return f.route(r)
}

func (f *Function) route(r Route) error {
	return run("ip", "-n", f.Namespace(), "route", "replace", r.Dst.String(), "via", r.Via.String())
}

// Detach removes the function, and ends what still runs in it.
func (f *Function) Detach() error {
	var errs []error
	for _, p := range f.ports() {
		errs = append(errs, p.Detach())
	}
	return errors.Join(errs...)
}
