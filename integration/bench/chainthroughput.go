package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// chainSettles is how long after a chain has changed its old way is gone, too: two seconds,
// and some time to spare.
const chainSettles = 3 * time.Second

// chainThroughput measures what a client and a server on one host get through chains of
// transparent functions, on their host and on another one, against the same namespaces on
// plain bridges, whose flows lead from port to port.
func (s settings) chainThroughput(ctx context.Context, r *report) error {
	s.hosts = 2
	c, err := s.chained(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	from, _, err := c.attach(ctx, "blue", "client", "h1")
	if err != nil {
		return err
	}
	to, e, err := c.attach(ctx, "green", "server", "h1")
	if err != nil {
		return err
	}
	p := &plain{c.world}
	if err := errors.Join(p.bridge(from, "10.9.0.1"), p.bridge(to, "10.9.0.2")); err != nil {
		return err
	}
	pair := roads{client: from, server: to, through: e.Status.Addresses[0], beside: netip.MustParseAddr("10.9.0.2")}
	for _, at := range []struct{ name, host string }{{"same", "h1"}, {"across", "h2"}} {
		functions, err := c.functions(ctx, p, at.name, at.host, 4)
		if err != nil {
			return err
		}
		for _, n := range []int{1, 2, 4} {
			name := fmt.Sprintf("chain.throughput.%s.%d", at.name, n)
			if err := c.lead(ctx, p, pair, at.name, functions[:n]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := s.compareRoads(ctx, r, name, pair, append(loads[:1:1], roundTrips)); err != nil {
				return err
			}
		}
	}
	return nil
}

// functions makes functions NAME1, NAME2, … of one instance each, which are bridges
// between two ports on the plain bridge, too.
func (c *chained) functions(ctx context.Context, p *plain, name, host string, n int) (list []*lab.Function, err error) {
	var m strings.Builder
	for i := range n {
		id := fmt.Sprintf("%s%d", name, i+1)
		f, err := c.instance(ctx, id, host)
		if err != nil {
			return nil, err
		}
		if err := p.joint(f); err != nil {
			return nil, err
		}
		writeFunction(&m, "bench", id, nil, id)
		list = append(list, f)
	}
	_, err = c.api.Apply(ctx, []byte(m.String()), client.ApplyOptions{Wait: 20 * time.Second})
	return list, err
}

// lead has both roads lead through the functions, and looks whether they do.
func (c *chained) lead(ctx context.Context, p *plain, pair roads, name string, functions []*lab.Function) error {
	var m strings.Builder
	var names []string
	for i := range functions {
		names = append(names, fmt.Sprintf("%s%d", name, i+1))
	}
	writeChain(&m, "bench", names...)
	if err := c.declareChain(ctx, m.String()); err != nil {
		return err
	}
	if err := p.lead(pair.client.(*lab.Workload), pair.server.(*lab.Workload), functions); err != nil {
		return err
	}
	if err := sleep(ctx, chainSettles); err != nil {
		return err
	}
	return errors.Join(passes(ctx, pair.client, pair.through, "in", functions), passes(ctx, pair.client, pair.beside, plainIn, functions))
}

// passes sends pings, and says whether they come through an interface of all functions.
func passes(ctx context.Context, from lab.Machine, to netip.Addr, iface string, functions []*lab.Function) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := lab.Ping(ctx, from, to); err != nil {
		return err
	}
	received := func() (counts []int) {
		for _, f := range functions {
			out, _ := f.Command("cat", "/sys/class/net/"+iface+"/statistics/rx_packets").Output()
			n, _ := strconv.Atoi(strings.TrimSpace(string(out)))
			counts = append(counts, n)
		}
		return counts
	}
	const pings = 20
	before := received()
	if out, err := from.Command("ping", "-q", "-c", strconv.Itoa(pings), "-i", "0.01", to.String()).CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not answer: %w: %s", to, err, out)
	}
	for i, n := range received() {
		if n-before[i] < pings {
			return fmt.Errorf("of %d pings to %s only %d pass function %s", pings, to, n-before[i], functions[i].In.ID)
		}
	}
	return nil
}

// roundTrips is what pings one after the other would make in a second, by the median of
// how long they take.
var roundTrips = load{name: "ping", unit: "round trips/s", measure: func(_ context.Context, from, _ lab.Machine, addr netip.Addr) (float64, error) {
	out, err := from.Command("ping", "-c", "500", "-i", "0.002", addr.String()).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("ping: %w: %s", err, out)
	}
	var took []float64 // ms
	for _, m := range pingTime.FindAllSubmatch(out, -1) {
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return 0, fmt.Errorf("ping: %w", err)
		}
		took = append(took, v)
	}
	if len(took) == 0 {
		return 0, fmt.Errorf("ping says no times: %s", out)
	}
	slices.Sort(took)
	return 1000 / took[len(took)/2], nil
}}

var pingTime = regexp.MustCompile(`time=([0-9.]+) ms`)
