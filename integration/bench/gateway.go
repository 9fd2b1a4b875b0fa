package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// gateway measures what workloads on a gateway host get to and from a machine outside, by
// source NAT and by a floating IP, against the same namespaces on a bridge beside br-int
// whose few flows, written by hand, do the same translation and no more.
func (s settings) gateway(ctx context.Context, r *report) error {
	s.hosts = 1
	e, err := s.edge(ctx, "h1")
	if err != nil {
		return err
	}
	defer e.close()
	nat, err := e.attach(ctx, "nat", "h1", netip.Addr{})
	if err != nil {
		return err
	}
	floating, err := e.attach(ctx, "floating", "h1", netip.MustParseAddr("203.0.113.50"))
	if err != nil {
		return err
	}
	p := &plainNAT{plain{e.world}, e.server}
	if err := p.connect(nat, floating); err != nil {
		return err
	}
	stop, err := serveConnections(e.server)
	if err != nil {
		return err
	}
	defer stop()
	for _, w := range []struct {
		name   string
		from   *lab.Workload
		beside netip.Addr
	}{{"nat", nat, besideNAT}, {"floating", floating, besideFloating}} {
		pair := roads{client: w.from, server: e.server, through: outsideServer, beside: w.beside}
		if err := s.compareRoads(ctx, r, "gateway."+w.name, pair, append(loads[:1:1], connections)); err != nil {
			return err
		}
	}
	return nil
}

// The machine outside takes connections at several ports, and their number is fixed: a
// client that comes to a pair of ports again while connection tracking, the plain
// bridge's as well, remembers what was there before waits for a second.
const connectFirst, connectPorts = 8080, 16

// serveConnections has a machine take connections at all of these ports.
func serveConnections(at lab.Machine) (stop func(), err error) {
	var servers []*lab.Server
	stop = func() {
		for _, srv := range servers {
			_ = srv.Close()
		}
	}
	for i := range connectPorts {
		srv, err := lab.Serve(at, "tcp", netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(connectFirst+i)))
		if err != nil {
			stop()
			return nil, err
		}
		servers = append(servers, srv)
	}
	return stop, nil
}

// connections are opened and reset at once, by four at a time.
var connections = load{name: "connections", unit: "connections/s", measure: func(ctx context.Context, client, _ lab.Machine, addr netip.Addr) (float64, error) {
	const each = 2500
	began := time.Now()
	err := connectFrom(ctx, []lab.Machine{client, client, client, client}, addr, each)
	return 4 * each / time.Since(began).Seconds(), err
}}

// connectFrom opens and resets connections, each of the clients so many one after the other.
func connectFrom(ctx context.Context, clients []lab.Machine, to netip.Addr, each int) error {
	var all errgroup.Group
	for _, client := range clients {
		all.Go(func() error {
			return lab.Inside(client.Namespace(), func() error {
				for range each {
					if err := errors.Join(ctx.Err(), connectOnce(to)); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return all.Wait()
}

func connectOnce(to netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	// A reset, so that no port has to wait.
	err = errors.Join(unix.Connect(fd, &unix.SockaddrInet4{Addr: to.As4(), Port: connectFirst + rand.IntN(connectPorts)}),
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}), unix.Close(fd))
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", to, err)
	}
	return nil
}

// The machine outside has an address for each of the plain ways, by which a workload
// chooses it.
var besideNAT, besideFloating = netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("203.0.113.3")

// plainNAT is the plain bridge with a patch port to the physical one.
type plainNAT struct {
	plain
	server *lab.Outside
}

const (
	plainGateway    = "10.9.255.254"
	plainGatewayMAC = "0e:99:00:00:00:01" // inside
	plainOutsideMAC = "0e:99:00:00:00:02"
	plainSource     = "203.0.113.60" // that NAT gives
	plainFloating   = "203.0.113.61"
)

func (p *plainNAT) connect(nat, floating *lab.Workload) error {
	h := nat.Host()
	for _, w := range []struct {
		wl           *lab.Workload
		addr, server string
	}{{nat, "10.9.0.1", besideNAT.String()}, {floating, "10.9.0.2", besideFloating.String()}} {
		if err := p.bridge(w.wl, w.addr); err != nil {
			return err
		}
		for _, c := range []*exec.Cmd{
			w.wl.Command("ip", "neigh", "replace", plainGateway, "lladdr", plainGatewayMAC, "dev", "eth1"),
			w.wl.Command("ip", "route", "add", w.server, "via", plainGateway, "dev", "eth1", "onlink"),
		} {
			if out, err := c.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, out)
			}
		}
	}
	for _, a := range []string{plainSource, plainFloating} {
		if out, err := p.server.Command("ip", "neigh", "replace", a, "lladdr", plainOutsideMAC, "dev", "eth0").CombinedOutput(); err != nil {
			return fmt.Errorf("neighbour %s: %w: %s", a, err, out)
		}
	}
	if _, err := h.Vsctl("add-port", plainBridge, "plain-ext", "--", "set", "interface", "plain-ext", "type=patch", "options:peer=ext-plain",
		"--", "add-port", "br-phys", "ext-plain", "--", "set", "interface", "ext-plain", "type=patch", "options:peer=plain-ext"); err != nil {
		return err
	}
	port := func(name string) (n string) {
		n, _ = h.Vsctl("get", "interface", name, "ofport")
		return n
	}
	mac := func(wl *lab.Workload) string {
		out, _ := wl.Command("cat", "/sys/class/net/eth1/address").Output()
		return strings.TrimSpace(string(out))
	}
	out := "dec_ttl,set_field:" + plainOutsideMAC + "->eth_src,set_field:" + p.server.MAC() + "->eth_dst,output:" + port("plain-ext")
	in := func(wl *lab.Workload) string {
		return "dec_ttl,set_field:" + plainGatewayMAC + "->eth_src,set_field:" + mac(wl) + "->eth_dst,output:" + port("x"+wl.Port())
	}
	return replaceFlows(h,
		"table=0,ip,in_port="+port("x"+nat.Port())+",actions=ct(commit,zone=99,nat(src="+plainSource+"),table=1)",
		"table=1,ip,actions="+out,
		"table=0,ip,in_port="+port("plain-ext")+",nw_dst="+plainSource+",actions=ct(zone=99,nat,table=2)",
		"table=2,ip,ct_state=+trk+est,actions="+in(nat),
		"table=0,ip,in_port="+port("x"+floating.Port())+",actions=set_field:"+plainFloating+"->ip_src,"+out,
		"table=0,ip,in_port="+port("plain-ext")+",nw_dst="+plainFloating+",actions=set_field:10.9.0.2->ip_dst,"+in(floating))
}
