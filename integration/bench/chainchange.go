package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/integration/sim"
)

// The measurement of changes: chains that are changed one after the other before the old
// way of the first one is removed, and those that are declared in one request.
const (
	chainHosts     = 100
	chainsAtOnce   = 10
	chainsDeclared = 50
)

// chainPlaces are the endpoints of each chain's tenant, by network, and on which of the
// four hosts of the tenant they are. Function f3 is where f1 is, so that with few chains
// its host is no other that has to be told of everything first.
var chainPlaces = []struct {
	name, network string
	host          int
}{
	{"client", "blue", 0}, {"server", "green", 1},
	{"f1-in", "svc", 2}, {"f1-out", "svc", 2}, {"f2-in", "svc", 3}, {"f2-out", "svc", 3}, {"f3-in", "svc", 2}, {"f3-out", "svc", 2},
}

// chainChange measures what it costs to change one chain, beside more and more others.
func (s settings) chainChange(ctx context.Context, r *report) error {
	for _, n := range []int{10, 100, 1000} {
		if err := s.changeOneOf(ctx, r, n); err != nil {
			return fmt.Errorf("%d chains: %w", n, err)
		}
	}
	return nil
}

func (s settings) changeOneOf(ctx context.Context, r *report, chains int) error {
	f, err := s.fleetOf(ctx, chainHosts)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.declareChains(ctx, chains); err != nil {
		return err
	}
	name := fmt.Sprintf("chain.change.%d", chains)
	cpu, began := f.cpu(), time.Now()
	if err := sleep(ctx, 2*chainSettles); err != nil {
		return err
	}
	idle := (f.cpu() - cpu) / time.Since(began).Seconds()
	r.figure(name+".idle.cpu.controller", idle*100, "% of a core")
	add, remove := &chainCost{}, &chainCost{}
	for range (s.samples + chainsAtOnce - 1) / chainsAtOnce {
		if err := add.measure(ctx, f, idle, "f1", "f3", "f2"); err != nil {
			return err
		}
		if err := remove.measure(ctx, f, idle, "f1", "f2"); err != nil {
			return err
		}
	}
	add.report(r, name+".add")
	remove.report(r, name+".remove")
	return nil
}

// declareChains makes tenants t0, t1, … with a chain each, which has functions f1 and f2, and
// a function f3 that is in no chain.
func (f *fleet) declareChains(ctx context.Context, chains int) error {
	ports := make([][]string, chainHosts)
	for t := range chains {
		for _, e := range chainPlaces {
			h := (t + e.host) % chainHosts
			ports[h] = append(ports[h], fmt.Sprintf("t%d/%s", t, e.name))
		}
	}
	for h, list := range ports {
		if err := f.Hosts()[h].AddPorts(list...); err != nil {
			return err
		}
	}
	for first := 0; first < chains; first += chainsDeclared {
		var m strings.Builder
		for t := first; t < min(chains, first+chainsDeclared); t++ {
			writeChained(&m, fmt.Sprintf("t%d", t))
		}
		if _, err := f.api.Apply(ctx, []byte(m.String()), client.ApplyOptions{Wait: 5 * time.Minute}); err != nil {
			return err
		}
	}
	return f.untilQuiet(ctx)
}

func writeChained(m *strings.Builder, tenant string) {
	fmt.Fprintf(m, "---\nkind: Tenant\nmetadata: {name: %s}\nspec: {}\n", tenant)
	for i, n := range []string{"blue", "green", "svc"} {
		fmt.Fprintf(m, "---\nkind: Network\nmetadata: {tenant: %s, name: %s}\nspec: {subnets: [{cidr: 10.%d.0.0/16}]}\n", tenant, n, i)
	}
	fmt.Fprintf(m, "---\nkind: Router\nmetadata: {tenant: %s, name: core}\nspec: {networks: [blue, green, svc]}\n", tenant)
	for _, e := range chainPlaces {
		fmt.Fprintf(m, "---\nkind: Endpoint\nmetadata: {tenant: %s, name: %s}\nspec: {network: %s}\n", tenant, e.name, e.network)
	}
	for _, name := range []string{"f1", "f2", "f3"} {
		writeFunction(m, tenant, name, nil, name)
	}
	writeChain(m, tenant, "f1", "f2")
}

// chainCost is what changes of the same kind have cost.
type chainCost struct {
	realized, hosts []float64 // ms; hosts that were told something until then
	// The sums of all changes, until their old ways are removed.
	cpu      float64 // seconds, of the controller
	flowMods uint64
	bytes    uint64
}

// measure changes the first chains, one after the other, and waits until their old ways are
// gone. That is later than all changes, so that what hosts are told until a change is
// realized is told because of it.
func (c *chainCost) measure(ctx context.Context, f *fleet, idle float64, functions ...string) error {
	cpu, began, before := f.cpu(), time.Now(), f.Traffic()
	for t := range chainsAtOnce {
		told, due := f.perHost(), time.Now()
		patch := map[string]any{"spec": map[string]any{"functions": functions}}
		if _, err := f.api.Chains(fmt.Sprintf("t%d", t)).Patch(ctx, "chain", patch, client.WriteOptions{Wait: time.Minute}); err != nil {
			return err
		}
		c.realized = append(c.realized, milliseconds(time.Since(due)))
		hosts := 0.0
		for i, now := range f.perHost() {
			if now.FlowMods > told[i].FlowMods {
				hosts++
			}
		}
		c.hosts = append(c.hosts, hosts)
	}
	if err := sleep(ctx, chainSettles); err != nil {
		return err
	}
	after := f.Traffic()
	c.cpu += f.cpu() - cpu - idle*time.Since(began).Seconds()
	c.flowMods += after.FlowMods - before.FlowMods
	c.bytes += after.Bytes - before.Bytes
	return nil
}

// perHost is what each host was sent.
func (f *fleet) perHost() []sim.Traffic {
	list := make([]sim.Traffic, len(f.Hosts()))
	for i, h := range f.Hosts() {
		list[i] = h.Traffic()
	}
	return list
}

func (c *chainCost) report(r *report, name string) {
	n := float64(len(c.realized))
	r.percentiles(name+".realized", c.realized, "ms")
	r.percentiles(name+".hosts", c.hosts, "hosts")
	r.figure(name+".flowmods", float64(c.flowMods)/n, "flow-mods/change")
	r.figure(name+".bytes", float64(c.bytes)/n, "bytes/change")
	r.figure(name+".cpu.controller", c.cpu/n*1000, "ms/change")
}
