package main

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// ready measures the time from the creation of an endpoint, whose port is there
// already, to the first reply to a ping from another host.
func (s settings) ready(ctx context.Context, r *report) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	pinger, _, err := w.attach(ctx, "pinger", "h2")
	if err != nil {
		return err
	}
	_, target, err := w.attach(ctx, "target", "h1")
	if err != nil {
		return err
	}
	addr := target.Status.Addresses[0]
	if err := knowNeighbour(pinger, addr, target.Status.MAC.String()); err != nil {
		return err
	}
	spec := target.Spec
	spec.Addresses, spec.MAC = target.Status.Addresses, target.Status.MAC
	eps := w.api.Endpoints("bench")
	have := 0
	for _, size := range s.sizes {
		if err := w.prepare(have+1, size); err != nil {
			return err
		}
		if err := w.declare(ctx, have+1, size); err != nil {
			return err
		}
		have = size
		var answered, acknowledged []float64
		for range s.samples {
			if err := eps.Delete(ctx, "target", client.WriteOptions{Wait: 20 * time.Second}); err != nil {
				return err
			}
			first, done, err := untilAnswer(pinger, addr, func() error {
				_, err := eps.Put(ctx, "target", nil, spec, client.WriteOptions{Wait: 20 * time.Second})
				return err
			})
			if err != nil {
				return err
			}
			answered = append(answered, milliseconds(first))
			acknowledged = append(acknowledged, milliseconds(done))
		}
		r.spread(fmt.Sprintf("ready.%d.ping", size), answered, "ms")
		r.spread(fmt.Sprintf("ready.%d.realized", size), acknowledged, "ms")
	}
	return nil
}

// knowNeighbour tells a pinger who has an address: what is measured is the network,
// not the pinger's own neighbour discovery.
func knowNeighbour(pinger *lab.Workload, addr netip.Addr, mac string) error {
	return pinger.Command("ip", "neigh", "replace", addr.String(), "lladdr", mac, "dev", "eth0", "nud", "permanent").Run()
}

// untilAnswer pings an address that nobody has yet, every 2 ms, and makes the change
// that brings it. It returns when, after the start of the change, the first reply
// came and the change returned.
func untilAnswer(pinger *lab.Workload, addr netip.Addr, change func() error) (first, done time.Duration, err error) {
	time.Sleep(100 * time.Millisecond) // let everybody come to rest
	p, err := pinger.NewPinger(addr, 2*time.Millisecond)
	if err != nil {
		return 0, 0, err
	}
	defer p.Stop()
	time.Sleep(50 * time.Millisecond)
	if p.Replies() > 0 {
		return 0, 0, fmt.Errorf("%s answers although its endpoint is deleted", addr)
	}
	began := time.Now()
	if err := change(); err != nil {
		return 0, 0, err
	}
	done = time.Since(began)
	for end := began.Add(10 * time.Second); p.FirstReply().IsZero(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			return 0, 0, fmt.Errorf("%s does not answer within 10 s", addr)
		}
	}
	return p.FirstReply().Sub(began), done, nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// bulkDeclared measures many endpoints that are declared at once, whose ports are there
// already, until every host has acknowledged all.
func (s settings) bulkDeclared(ctx context.Context, r *report) error {
	return s.eachBulk(ctx, r, s.oneBulk)
}

// eachBulk measures for each number of endpoints that is asked for.
func (s settings) eachBulk(ctx context.Context, r *report, one func(context.Context, *report, int) error) error {
	for _, n := range s.bulk {
		if err := one(ctx, r, n); err != nil {
			return err
		}
	}
	return nil
}

func (s settings) oneBulk(ctx context.Context, r *report, n int) error {
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.prepare(1, n); err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // let the switches build their ports
	controller, hosts := w.cpuOfAll()
	began := time.Now()
	if err := w.declare(ctx, 1, n); err != nil {
		return err
	}
	took := time.Since(began)
	c, h := w.cpuOfAll()
	name := fmt.Sprintf("bulk.%d", n)
	r.figure(name+".realized", took.Seconds(), "s")
	r.figure(name+".cpu.controller", c-controller, "s")
	r.figure(name+".cpu.all", c-controller+h-hosts, "s")
	r.figure(name+".memory.controller", peakMemory(w.cmd.Process.Pid), "MiB")
	flows, err := w.flowCount("h1")
	r.figure(name+".flows.h1", float64(flows), "flows")
	return err
}

var flowCount = regexp.MustCompile(`flow_count=(\d+)`)

func (w *world) flowCount(host string) (int, error) {
	out, err := w.lab.Host(host).Ofctl("dump-aggregate", "br-int")
	if err != nil {
		return 0, err
	}
	m := flowCount.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("ovs-ofctl dump-aggregate says %q", out)
	}
	return strconv.Atoi(m[1])
}

// count counts the flows that one more IPv4 endpoint, whose network has a router,
// costs the host that it is on and another one.
func (s settings) count(ctx context.Context, r *report) error {
	s.hosts = 2
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.prepare(1, 4); err != nil {
		return err
	}
	if err := w.declare(ctx, 1, 4); err != nil {
		return err
	}
	before := map[string]int{}
	for _, h := range w.lab.Hosts() {
		if before[h], err = w.flowCount(h); err != nil {
			return err
		}
	}
	// Endpoint 6 is on host h1, as all even ones are.
	if err := w.prepare(6, 6); err != nil {
		return err
	}
	if err := w.declare(ctx, 6, 6); err != nil {
		return err
	}
	for _, at := range []struct{ host, name string }{{"h1", "count.local"}, {"h2", "count.remote"}} {
		after, err := w.flowCount(at.host)
		if err != nil {
			return err
		}
		r.figure(at.name, float64(after-before[at.host]), "flows")
	}
	return nil
}
