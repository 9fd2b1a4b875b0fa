package bgp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

const frr = "/usr/lib/frr/"

// router is a network namespace with zebra and bgpd of FRR, and a link to us. Its
// other link, to which all next hops belong, is 203.0.113.0/24 and 2001:db8:1::/64.
type router struct {
	t    *testing.T
	name string
	dir  string
	us   netip.Addr // our end of the link
	addr netip.Addr // the router's
	bgpd *exec.Cmd
}

var routers atomic.Int32

// us6 and addr6 are the link's IPv6 addresses.
func (r *router) us6() netip.Addr   { return netip.MustParseAddr("2001:db8:ff::" + r.name[1:] + "1") }
func (r *router) addr6() netip.Addr { return netip.MustParseAddr("2001:db8:ff::" + r.name[1:] + "2") }

// startRouter makes a router with a session of an ASN to a neighbour of another.
func startRouter(t *testing.T, asn, neighbour uint32, more ...string) *router {
	t.Helper()
	if _, err := os.Stat(frr + "bgpd"); err != nil {
		t.Fatalf(`FRR is missing: %v: install it with "hack/deps.sh test"`, err)
	}
	n := routers.Add(1)
	dir := fmt.Sprintf("/run/r%d", n) // private, see TestMain
	r := &router{
		t: t, name: fmt.Sprintf("r%d", n), dir: dir,
		us: netip.AddrFrom4([4]byte{198, 18, byte(n), 1}), addr: netip.AddrFrom4([4]byte{198, 18, byte(n), 2}),
	}
	for _, line := range []string{
		"install -d -o frr -g frr " + dir, // the user as which the daemons run
		"ip netns add " + r.name,
		"ip link add v" + r.name + " type veth peer name wire netns " + r.name,
		"ip addr add " + r.us.String() + "/30 dev v" + r.name,
		"ip addr add " + r.us6().String() + "/112 nodad dev v" + r.name,
		"ip link set v" + r.name + " up",
		"ip -n " + r.name + " addr add " + r.addr.String() + "/30 dev wire",
		"ip -n " + r.name + " addr add " + r.addr6().String() + "/112 nodad dev wire",
		"ip -n " + r.name + " link set lo up",
		"ip -n " + r.name + " link set wire up",
		"ip -n " + r.name + " link add ext type veth peer name far",
		"ip -n " + r.name + " link set far up",
		"ip -n " + r.name + " addr add 203.0.113.254/24 dev ext",
		"ip -n " + r.name + " addr add 2001:db8:1::fe/64 nodad dev ext",
		"ip -n " + r.name + " link set ext up",
	} {
		r.run(strings.Fields(line)...)
	}
	r.write("zebra.conf", "")
	r.configure(asn, neighbour, more...)
	r.daemon("zebra", "-f", filepath.Join(dir, "zebra.conf"))
	eventually(t, "zebra", func() (bool, any) { return r.try("zebra", "show version") })
	r.startBGPD()
	t.Cleanup(func() {
		r.stopBGPD()
		r.run("ip", "link", "del", "v"+r.name)
	})
	return r
}

func (r *router) configure(asn, neighbour uint32, more ...string) {
	us := r.us.String()
	multihop := ""
	if asn != neighbour {
		multihop = " neighbor " + us + " ebgp-multihop 64\n"
	}
	r.write("bgpd.conf", fmt.Sprintf("router bgp %d\n bgp router-id 203.0.113.254\n no bgp ebgp-requires-policy\n"+
		" no bgp default ipv4-unicast\n neighbor %s remote-as %d\n%s neighbor %s passive\n %s\n"+
		" address-family ipv4 unicast\n  neighbor %s activate\n exit-address-family\n"+
		" address-family ipv6 unicast\n  neighbor %s activate\n exit-address-family\n",
		asn, us, neighbour, multihop, us, strings.Join(more, "\n "), us, us))
}

func (r *router) write(file, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, file), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *router) run(args ...string) string {
	r.t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

func (r *router) daemon(name string, args ...string) *exec.Cmd {
	r.t.Helper()
	all := append([]string{
		"netns", "exec", r.name, frr + name, "--log", "stdout", "--vty_socket", r.dir, "-P", "0",
		"-z", filepath.Join(r.dir, "zserv.api"), "-i", filepath.Join(r.dir, name+".pid"),
	}, args...)
	cmd := exec.Command("ip", all...)
	cmd.Stdout, cmd.Stderr = r.t.Output(), r.t.Output()
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func (r *router) startBGPD() {
	r.t.Helper()
	r.bgpd = r.daemon("bgpd", "-f", filepath.Join(r.dir, "bgpd.conf"))
	eventually(r.t, "bgpd", func() (bool, any) { return r.try("bgpd", "show version") })
}

// stopBGPD is a crash.
func (r *router) stopBGPD() {
	_ = r.bgpd.Process.Kill()
	_ = r.bgpd.Wait()
}

func (r *router) try(daemon, command string) (bool, any) {
	out, err := exec.Command("vtysh", "--vty_socket", r.dir, "-d", daemon, "-c", command).CombinedOutput()
	return err == nil, string(out)
}

func (r *router) vtysh(commands ...string) []byte {
	r.t.Helper()
	args := []string{"--vty_socket", r.dir, "-d", "bgpd"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("vtysh", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("vtysh %v: %v: %s%s", commands, err, out, &stderr)
	}
	return out
}

// routerPath is a path as FRR shows it.
type routerPath struct {
	Valid    bool
	Stale    bool
	Path     string // of ASNs
	Nexthops []struct{ IP netip.Addr }
}

// paths are what the router has, by prefix.
func (r *router) paths() map[string][]routerPath {
	r.t.Helper()
	all := make(map[string][]routerPath)
	for _, f := range []string{"ipv4", "ipv6"} {
		var answer struct{ Routes map[string][]routerPath }
		if out := r.vtysh("show bgp " + f + " unicast json"); len(bytes.TrimSpace(out)) > 0 {
			if err := json.Unmarshal(out, &answer); err != nil {
				r.t.Fatalf("%v: %s", err, out)
			}
		}
		for prefix, paths := range answer.Routes {
			all[prefix] = append(all[prefix], paths...)
		}
	}
	return all
}

// routes are the router's, "PREFIX via NEXTHOP" for each path, sorted, with " stale"
// and " invalid" where that is so.
func (r *router) routes() []string {
	r.t.Helper()
	var list []string
	for prefix, paths := range r.paths() {
		for _, p := range paths {
			// FRR shows the link-local address of IPv6 next hops too, if there is one.
			for _, n := range p.Nexthops {
				s := prefix + " via " + n.IP.String()
				if p.Stale {
					s += " stale"
				}
				if !p.Valid {
					s += " invalid"
				}
				list = append(list, s)
			}
		}
	}
	slices.Sort(list)
	return list
}

func strs(routes []Route) []string {
	var list []string
	for _, r := range routes {
		list = append(list, r.Prefix.String()+" via "+r.NextHop.String())
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// waitRoutes waits until the router has exactly these, none of them stale.
func (r *router) waitRoutes(routes ...Route) {
	r.t.Helper()
	want := strs(routes)
	eventually(r.t, "the router's routes", func() (bool, any) {
		got := r.routes()
		lacks := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(got, s) })
		more := slices.DeleteFunc(got, func(s string) bool { return slices.Contains(want, s) })
		return len(lacks)+len(more) == 0, fmt.Sprintf("lacks %.1000q, has besides %.1000q", lacks, more)
	})
}

// installed says whether the router's kernel forwards to a prefix.
func (r *router) installed(prefix string) bool {
	r.t.Helper()
	family := "-4"
	if strings.Contains(prefix, ":") {
		family = "-6"
	}
	return strings.Contains(r.run("ip", "-n", r.name, family, "route", "show", "proto", "bgp"), prefix)
}

func config(asn uint32, peers ...Peer) Config {
	return Config{ASN: asn, RouterID: netip.MustParseAddr("198.18.0.1"), Peers: peers}
}
