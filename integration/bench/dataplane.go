package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// dataplane measures what two workloads get through Dovetail's flows, on one host
// and across two, against the same two namespaces on a bridge beside br-int in the
// same ovs-vswitchd: with a single NORMAL flow on one host, with two flows and a
// VXLAN port across. The two take turns, and turns in who is first.
func (s settings) dataplane(ctx context.Context, r *report) error {
	s.hosts = 2
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	client, _, err := w.attach(ctx, "client", "h1")
	if err != nil {
		return err
	}
	p := &plain{w: w}
	if err := p.bridge(client, "10.9.0.1"); err != nil {
		return err
	}
	for i, at := range []struct{ name, host string }{{"same", "h1"}, {"across", "h2"}} {
		server, e, err := w.attach(ctx, at.name, at.host)
		if err != nil {
			return err
		}
		beside := fmt.Sprintf("10.9.0.%d", i+2)
		if err := p.bridge(server, beside); err != nil {
			return err
		}
		if err := p.wire(client, server); err != nil {
			return err
		}
		pair := roads{client: client, server: server, through: e.Status.Addresses[0], beside: netip.MustParseAddr(beside)}
		if err := s.compareRoads(ctx, r, "dataplane."+at.name, pair, loads); err != nil {
			return err
		}
	}
	return nil
}

// roads are two ways between two workloads.
type roads struct {
	client, server  lab.Machine
	through, beside netip.Addr
}

func (s settings) compareRoads(ctx context.Context, r *report, name string, p roads, loads []load) error {
	for _, addr := range []netip.Addr{p.through, p.beside} {
		if out, err := p.client.Command("ping", "-c", "3", "-i", "0.05", "-W", "1", addr.String()).CombinedOutput(); err != nil {
			return fmt.Errorf("%s does not answer: %w: %s", addr, err, out)
		}
	}
	for _, load := range loads {
		var ours, theirs, ratio []float64
		for i := range s.repeats {
			order := []netip.Addr{p.through, p.beside}
			if i%2 == 1 {
				order[0], order[1] = order[1], order[0]
			}
			got := map[netip.Addr]float64{}
			for _, addr := range order {
				v, err := load.run(ctx, p.client, p.server, addr)
				if err != nil {
					return fmt.Errorf("%s to %s: %w", load.name, addr, err)
				}
				got[addr] = v
			}
			a, b := got[p.through], got[p.beside]
			ours, theirs, ratio = append(ours, a), append(theirs, b), append(ratio, a/b)
		}
		r.spread(name+"."+load.name+".dovetail", ours, load.unit)
		r.spread(name+"."+load.name+".plain", theirs, load.unit)
		r.spread(name+"."+load.name+".ratio", ratio, "")
	}
	return nil
}

// load is something to measure; more is better.
type load struct {
	name, unit string
	arguments  []string // of iperf3
	value      func(*iperf) float64
	// measure is for what iperf3 does not do.
	measure func(ctx context.Context, client, server lab.Machine, addr netip.Addr) (float64, error)
}

var loads = []load{
	{name: "tcp", unit: "Mbit/s", arguments: []string{"-t", "3"}, value: func(o *iperf) float64 { return o.End.Received.BitsPerSecond / 1e6 }},
	// 18 bytes make the smallest frame of Ethernet. As many as the sender can.
	{name: "udp64", unit: "packets/s", arguments: []string{"-t", "3", "-u", "-b", "0", "-l", "18"}, value: func(o *iperf) float64 {
		return (o.End.Sum.Packets - o.End.Sum.Lost) / o.End.Sum.Seconds
	}},
}

// iperf is what iperf3 --json says.
type iperf struct {
	Error string
	End   struct {
		Received struct {
			BitsPerSecond float64 `json:"bits_per_second"`
		} `json:"sum_received"`
		Sum struct {
			Packets float64
			Lost    float64 `json:"lost_packets"`
			Seconds float64
		}
	}
}

func (l load) run(ctx context.Context, client, server lab.Machine, addr netip.Addr) (float64, error) {
	if l.measure != nil {
		return l.measure(ctx, client, server, addr)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	srv := server.Command("iperf3", "-s", "-1", "-B", addr.String())
	if err := srv.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = srv.Process.Kill()
		_ = srv.Wait()
	}()
	for ctx.Err() == nil {
		out, err := client.Command(append([]string{"iperf3", "-J", "-c", addr.String()}, l.arguments...)...).Output()
		var o iperf
		if json.Unmarshal(out, &o) != nil {
			return 0, fmt.Errorf("iperf3: %w: %s", err, out)
		}
		if strings.Contains(o.Error, "refused") { // the server does not listen yet
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if o.Error != "" {
			return 0, errors.New("iperf3: " + o.Error)
		}
		return l.value(&o), nil
	}
	return 0, ctx.Err()
}

const plainBridge, plainTunnel, plainVNI = "br-plain", "vx-plain", "7777777"

// plain is the bridge beside br-int.
type plain struct{ w *world }

// bridge gives a workload a second interface, on its host's plain bridge, like
// its first one.
func (p *plain) bridge(wl *lab.Workload, addr string) error {
	if err := p.port(wl, "eth1"); err != nil {
		return err
	}
	if out, err := wl.Command("ip", "addr", "add", addr+"/24", "dev", "eth1").CombinedOutput(); err != nil {
		return fmt.Errorf("address %s: %w: %s", addr, err, out)
	}
	return nil
}

// port gives a workload an interface on its host's plain bridge, without an address.
func (p *plain) port(wl *lab.Workload, inside string) error {
	h, port := wl.Host(), "x"+wl.Port()
	if _, err := h.Vsctl("--may-exist", "add-br", plainBridge, "--", "set", "bridge", plainBridge, "datapath_type=netdev", "fail_mode=secure"); err != nil {
		return err
	}
	for _, c := range []*exec.Cmd{
		exec.Command("ip", "link", "add", port, "netns", h.Namespace(), "mtu", "1450", "type", "veth", "peer", "name", inside, "netns", wl.Namespace()),
		h.Command("ip", "link", "set", port, "up"),
		wl.Command("ip", "link", "set", inside, "mtu", "1450", "up"),
		wl.Command("ethtool", "-K", inside, "tx", "off"),
	} {
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, out)
		}
	}
	_, err := h.Vsctl("add-port", plainBridge, port)
	return err
}

// wire gives the plain bridges the flows between two workloads, and no others.
func (p *plain) wire(a, b *lab.Workload) error {
	if a.Host().Name == b.Host().Name {
		return replaceFlows(a.Host(), "actions=NORMAL")
	}
	for _, side := range []struct{ here, there *lab.Workload }{{a, b}, {b, a}} {
		h := side.here.Host()
		tunnel, err1 := p.tunnel(h, side.there.Host(), plainTunnel, plainVNI)
		port, err2 := p.number(side.here)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if err := replaceFlows(h, "in_port="+port+",actions="+tunnel, "in_port="+tunnel+",actions="+port); err != nil {
			return err
		}
	}
	return nil
}

// tunnel is the port of a tunnel from a host to another one, which is made if there is none.
func (p *plain) tunnel(h, to *lab.Host, name, vni string) (string, error) {
	if _, err := h.Vsctl("--may-exist", "add-port", plainBridge, name, "--", "set", "interface", name, "type=vxlan",
		"options:key="+vni, "options:remote_ip="+to.VTEP().String(), "options:local_ip="+h.VTEP().String()); err != nil {
		return "", err
	}
	return h.Vsctl("get", "interface", name, "ofport")
}

// number is a workload's port of its host's plain bridge.
func (p *plain) number(wl *lab.Workload) (string, error) {
	return wl.Host().Vsctl("get", "interface", "x"+wl.Port(), "ofport")
}

func replaceFlows(h *lab.Host, flows ...string) error {
	if _, err := h.Ofctl("del-flows", plainBridge); err != nil {
		return err
	}
	for _, f := range flows {
		if _, err := h.Ofctl("add-flow", plainBridge, f); err != nil {
			return err
		}
	}
	return nil
}
