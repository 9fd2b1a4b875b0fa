package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// frrPrograms is where Debian's package frr has its daemons.
const frrPrograms = "/usr/lib/frr"

// frrDaemons in the order in which they are started: bgpd talks to zebra.
var frrDaemons = []string{"zebra", "bgpd"}

// protoBGP is RTPROT_BGP of linux/rtnetlink.h, which zebra's routes have.
const protoBGP = "186"

// FRRConfig says what a BGP router outside is like.
type FRRConfig struct {
	ASN      uint32
	RouterID netip.Addr // IPv4; the zero Addr means the machine's ManagementAddress
	// Neighbor is the other end of the session, IPv4 or IPv6, for routes of both. It may
	// be any number of hops away.
	Neighbor    netip.Addr
	NeighborASN uint32
	Port        uint16         // of the neighbor; 0 means 179
	Passive     bool           // wait for the neighbor to connect
	Networks    []netip.Prefix // what it announces, whether it has routes there or not
}

// FRR is zebra and bgpd of FRRouting on a machine outside. It ends with the machine,
// or with the lab. Its methods are safe for concurrent use.
type FRR struct {
	machine  *Outside
	neighbor netip.Addr
}

// StartFRR makes the machine a BGP router: what the neighbor announces is in the
// kernel's routes of the machine's namespace, up to 8 next hops for each prefix. It
// needs Debian's package frr.
func (o *Outside) StartFRR(cfg FRRConfig) (*FRR, error) {
	if _, err := os.Stat(filepath.Join(frrPrograms, "bgpd")); err != nil {
		return nil, errors.New("bgpd is missing: run \"apt-get install frr\"")
	}
	if cfg.ASN == 0 || cfg.NeighborASN == 0 || !cfg.Neighbor.IsValid() {
		return nil, fmt.Errorf("FRR on machine %s: its AS number, the neighbor and the neighbor's AS number are needed", o.Name)
	}
	if !cfg.RouterID.IsValid() {
		cfg.RouterID = o.ManagementAddress()
	}
	f := &FRR{machine: o, neighbor: cfg.Neighbor}
	for _, daemon := range frrDaemons {
		if pid := f.pid(daemon); pid != 0 {
			return nil, fmt.Errorf("machine %s has a running %s already, process %d", o.Name, daemon, pid)
		}
	}
	if err := f.start(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("starting FRR on machine %s: %w", o.Name, err), f.Stop())
	}
	return f, nil
}

func (f *FRR) start(cfg FRRConfig) error {
	if err := os.MkdirAll(f.file("tmp"), 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"vtysh.conf": "",
		"zebra.conf": "log file " + f.file("zebra.log") + "\n",
		"bgpd.conf":  "log file " + f.file("bgpd.log") + "\n" + cfg.text(),
	} {
		if err := os.WriteFile(f.file(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for _, daemon := range frrDaemons {
		// Each would leave a folder of its own in /var/tmp, where "ip netns exec" has made
		// mounts private. Root may use the sockets if the group is theirs, and not otherwise.
		if err := run("ip", "netns", "exec", f.machine.Namespace(), "sh", "-c", `mount --bind "$0" /var/tmp && exec "$@"`, f.file("tmp"),
			filepath.Join(frrPrograms, daemon), "-d", "-u", "root", "-g", "frrvty", "-f", f.file(daemon+".conf"), "-i", f.file(daemon+".pid"),
			"-z", f.file("zserv.api"), "--vty_socket", f.machine.dir(), "-P", "0"); err != nil {
			return err
		}
	}
	return nil
}

// text is bgpd's configuration, but for its log.
func (cfg FRRConfig) text() string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	neighbor := func(format string, args ...any) {
		add(" neighbor %s %s", cfg.Neighbor, fmt.Sprintf(format, args...))
	}
	add("router bgp %d", cfg.ASN)
	add(" bgp router-id %s", cfg.RouterID)
	add(" no bgp ebgp-requires-policy")
	add(" no bgp network import-check")
	add(" bgp bestpath as-path multipath-relax")
	neighbor("remote-as %d", cfg.NeighborASN)
	if cfg.ASN != cfg.NeighborASN {
		neighbor("ebgp-multihop")
		neighbor("disable-connected-check")
	}
	neighbor("graceful-restart-helper")
	neighbor("timers connect 1")
	if cfg.Port != 0 {
		neighbor("port %d", cfg.Port)
	}
	if cfg.Passive {
		neighbor("passive")
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		add(" address-family %s unicast", family)
		neighbor("activate")
		add("  maximum-paths 8")
		add("  maximum-paths ibgp 8")
		for _, p := range cfg.Networks {
			if p.Addr().Is6() == (family == "ipv6") {
				add("  network %s", p.Masked())
			}
		}
		add(" exit-address-family")
	}
	return strings.Join(lines, "\n") + "\n"
}

func (f *FRR) file(name string) string { return filepath.Join(f.machine.dir(), name) }

func (f *FRR) pid(daemon string) int {
	return recordedPID(f.file(daemon+".pid"), f.machine.lab.dir())
}

// Stop ends the router in order: neighbors are told, and its routes go. It is no
// error if it does not run.
func (f *FRR) Stop() error {
	var errs []error
	for _, daemon := range slices.Backward(frrDaemons) {
		pid := f.pid(daemon)
		if pid == 0 {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			errs = append(errs, fmt.Errorf("ending %s of machine %s: %w", daemon, f.machine.Name, err))
			continue
		}
		errs = append(errs, waitGone(pid))
	}
	return errors.Join(errs...)
}

// Kill ends the router at once, as a crash does: neighbors notice, and its routes stay.
func (f *FRR) Kill() error {
	var pids []int
	for _, daemon := range frrDaemons {
		if pid := f.pid(daemon); pid != 0 {
			pids = append(pids, pid)
		}
	}
	return killAll(pids)
}

// Vtysh runs commands of vtysh(1), as in "show ip bgp json" or, one after the other,
// "configure terminal", "router bgp 65001", and returns what they print.
func (f *FRR) Vtysh(ctx context.Context, commands ...string) (string, error) {
	args := []string{"--vty_socket", f.machine.dir(), "--config_dir", f.machine.dir()}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	return outputContext(ctx, nil, "vtysh", args...)
}

// SessionUp says whether the session with the neighbor is established (RFC 4271,
// section 8.2.2).
func (f *FRR) SessionUp(ctx context.Context) (bool, error) {
	out, err := f.Vtysh(ctx, "show bgp neighbors "+f.neighbor.String()+" json")
	if err != nil {
		return false, err
	}
	var neighbors map[string]json.RawMessage
	if err := json.Unmarshal([]byte(out), &neighbors); err != nil {
		return false, fmt.Errorf("reading what bgpd of machine %s says: %w", f.machine.Name, err)
	}
	var n struct{ BGPState string }
	if err := json.Unmarshal(neighbors[f.neighbor.String()], &n); err != nil {
		return false, fmt.Errorf("bgpd of machine %s does not know neighbor %s", f.machine.Name, f.neighbor)
	}
	return n.BGPState == "Established", nil
}

// Routes are the prefixes that the kernel has from BGP in the machine's namespace,
// and their next hops in order of their addresses.
func (f *FRR) Routes(ctx context.Context) (map[netip.Prefix][]netip.Addr, error) {
	routes := map[netip.Prefix][]netip.Addr{}
	for _, family := range []string{"-4", "-6"} {
		out, err := outputContext(ctx, nil, "ip", "-n", f.machine.Namespace(), "-j", family, "route", "show", "proto", protoBGP)
		if err != nil {
			return nil, err
		}
		if err := readRoutes(out, family == "-6", routes); err != nil {
			return nil, fmt.Errorf("reading the routes of machine %s: %w", f.machine.Name, err)
		}
	}
	return routes, nil
}

// kernelHop is a next hop as ip-route(8) writes it. One of the other family is in via.
type kernelHop struct {
	Gateway netip.Addr `json:"gateway"`
	Via     struct {
		Host netip.Addr `json:"host"`
	} `json:"via"`
}

// readRoutes adds what "ip -j route" prints.
func readRoutes(out string, six bool, routes map[netip.Prefix][]netip.Addr) error {
	var list []struct {
		Dst string `json:"dst"`
		kernelHop
		NextHops []kernelHop `json:"nexthops"`
	}
	if out == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return err
	}
	for _, r := range list {
		dst, err := destination(r.Dst, six)
		if err != nil {
			return err
		}
		hops := routes[dst] // IPv6 may have a route for each next hop
		for _, h := range append(r.NextHops, r.kernelHop) {
			switch {
			case h.Gateway.IsValid():
				hops = append(hops, h.Gateway)
			case h.Via.Host.IsValid():
				hops = append(hops, h.Via.Host)
			}
		}
		slices.SortFunc(hops, netip.Addr.Compare)
		routes[dst] = hops
	}
	return nil
}

// destination reads how ip-route(8) writes one.
func destination(s string, six bool) (netip.Prefix, error) {
	if s == "default" {
		if six {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0), nil
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
