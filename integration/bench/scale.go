package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"golang.org/x/sync/errgroup"
)

// The scale that is measured, for 1,000 hosts; fewer have fewer tenants.
const (
	hostsOfTenant     = 50
	tenantsOfHost     = 10
	networksOfTenant  = 5
	endpointsOfTenant = 500
	changeRate        = 50 // a second
)

var listAll = client.ListOptions{PageSize: 1000}

// countRealized counts without decoding: a page has a thousand objects.
func countRealized(page []byte) int { return bytes.Count(page, []byte(`"phase":"realized"`)) }

// scale measures simulated hosts: all of it at once, single changes, and a restart
// of the controller.
func (s settings) scale(ctx context.Context, r *report) error {
	began := time.Now()
	f, err := s.fleetOf(ctx, s.simulated)
	if err != nil {
		return err
	}
	defer f.close()
	r.figure("scale.join", time.Since(began).Seconds(), "s")
	l := layout{hosts: s.simulated, tenants: s.simulated * tenantsOfHost / hostsOfTenant}
	if err := l.plug(f); err != nil {
		return err
	}
	if err := s.scaleBulk(ctx, r, f, l); err != nil {
		return err
	}
	if err := s.scaleChanges(ctx, r, f, l); err != nil {
		return err
	}
	return s.scaleRestart(ctx, r, f)
}

// layout says who is where.
type layout struct{ hosts, tenants int }

// host is the index of the host of a tenant's endpoint: each tenant is on fifty
// hosts.
func (l layout) host(tenant, endpoint int) int {
	return (tenant*hostsOfTenant + endpoint%hostsOfTenant + tenant/(l.hosts/hostsOfTenant)*7) % l.hosts
}

// plug adds the ports of all endpoints, and of those that single changes make.
func (l layout) plug(f *fleet) error {
	ports := make([][]string, l.hosts)
	for t := range l.tenants {
		for e := range endpointsOfTenant + l.extra() {
			h := l.host(t, e)
			ports[h] = append(ports[h], fmt.Sprintf("t%d/e%d", t, e))
		}
	}
	var g errgroup.Group
	g.SetLimit(8)
	for i, h := range f.Hosts() {
		g.Go(func() error { return h.AddPorts(ports[i]...) })
	}
	return g.Wait()
}

// extra is how many more endpoints a tenant gets by single changes.
func (l layout) extra() int { return (changeRate*changeSeconds + l.tenants - 1) / l.tenants }

func (l layout) manifest(tenant int) string {
	var m strings.Builder
	var networks []string
	fmt.Fprintf(&m, "kind: Tenant\nmetadata: {name: t%d}\nspec: {}\n", tenant)
	for n := range networksOfTenant {
		networks = append(networks, fmt.Sprintf("n%d", n))
		fmt.Fprintf(&m, "---\nkind: Network\nmetadata: {tenant: t%d, name: n%d}\nspec: {subnets: [{cidr: 10.%d.0.0/16}]}\n", tenant, n, n)
	}
	fmt.Fprintf(&m, "---\nkind: Router\nmetadata: {tenant: t%d, name: core}\nspec: {networks: [%s]}\n", tenant, strings.Join(networks, ", "))
	for e := range endpointsOfTenant {
		writeEndpoint(&m, fmt.Sprintf("t%d", tenant), e, networks[e%networksOfTenant])
	}
	return m.String()
}

// scaleBulk declares everything, a tenant a request, until all is acknowledged.
func (s settings) scaleBulk(ctx context.Context, r *report, f *fleet, l layout) error {
	cpu, began := f.cpu(), time.Now()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for t := range l.tenants {
		g.Go(func() error {
			_, err := f.api.Apply(gctx, []byte(l.manifest(t)), client.ApplyOptions{Wait: 5 * time.Minute})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	r.figure("scale.bulk.realized", time.Since(began).Seconds(), "s")
	r.figure("scale.bulk.cpu.controller", f.cpu()-cpu, "s")
	now, peak := f.memory()
	r.figure("scale.bulk.memory.controller", now, "MiB")
	r.figure("scale.bulk.memory.controller.peak", peak, "MiB")
	r.figure("scale.bulk.endpoints", float64(l.tenants*endpointsOfTenant), "endpoints")
	r.figure("scale.bulk.flows", float64(f.Flows()), "flows")
	return f.untilQuiet(ctx)
}

const changeSeconds = 20

// scaleChanges makes endpoints at a steady rate, whoever is late. A latency counts
// from the moment when the change was due, until all hosts have acknowledged it.
func (s settings) scaleChanges(ctx context.Context, r *report, f *fleet, l layout) error {
	cpu, began, before := f.cpu(), time.Now(), f.Traffic()
	var mu sync.Mutex
	var latencies []float64
	g, gctx := errgroup.WithContext(ctx)
	for i := range changeRate * changeSeconds {
		due := began.Add(time.Duration(i) * time.Second / changeRate)
		if err := sleep(gctx, time.Until(due)); err != nil {
			break
		}
		g.Go(func() error {
			t, e := i%l.tenants, endpointsOfTenant+i/l.tenants
			var spec client.Endpoint
			spec.Spec.Network = fmt.Sprintf("n%d", e%networksOfTenant)
			_, err := f.api.Endpoints(fmt.Sprintf("t%d", t)).Put(gctx, fmt.Sprintf("e%d", e), nil, spec.Spec, client.WriteOptions{Wait: time.Minute})
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, milliseconds(time.Since(due)))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	n := float64(len(latencies))
	r.percentiles("scale.change", latencies, "ms")
	r.figure("scale.change.rate", n/took, "changes/s")
	r.figure("scale.change.cpu.controller", (f.cpu()-cpu)/n*1000, "ms/change")
	r.figure("scale.change.cpu.share", (f.cpu()-cpu)/took*100, "% of a core")
	after := f.Traffic()
	r.figure("scale.change.flowmods", float64(after.FlowMods-before.FlowMods)/n, "flow-mods/change")
	r.figure("scale.change.bytes", float64(after.Bytes-before.Bytes)/n, "bytes/change")
	now, peak := f.memory()
	r.figure("scale.change.memory.controller", now, "MiB")
	r.figure("scale.change.memory.controller.peak", peak, "MiB")
	return f.untilQuiet(ctx)
}

// scaleRestart kills the controller and starts it again, until every host was
// compared with what it should have.
func (s settings) scaleRestart(ctx context.Context, r *report, f *fleet) error {
	before := f.Traffic()
	f.kill()
	began := time.Now()
	if err := f.start(ctx); err != nil {
		return err
	}
	r.figure("scale.restart.ready", time.Since(began).Seconds(), "s")
	if err := f.untilRealized(ctx, s.simulated); err != nil {
		return err
	}
	r.figure("scale.restart.verified", time.Since(began).Seconds(), "s")
	r.figure("scale.restart.cpu.controller", f.cpu(), "s")
	if err := f.untilQuiet(ctx); err != nil {
		return err
	}
	after := f.Traffic()
	r.figure("scale.restart.flowmods", float64(after.FlowMods-before.FlowMods), "flow-mods")
	_, peak := f.memory()
	r.figure("scale.restart.memory.controller.peak", peak, "MiB")
	return nil
}
