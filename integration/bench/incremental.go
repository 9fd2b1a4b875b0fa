package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/integration/sim"
)

// The hosts of the incremental measurement: half of them have endpoints.
const (
	domainHosts  = 10
	otherHosts   = 10
	domainGrowth = 20 // endpoints that are added one by one
)

// incremental counts what one more endpoint costs in domains of different size:
// fragments compiled, and bytes sent to each host. Nothing of it is a time.
func (s settings) incremental(ctx context.Context, r *report) error {
	for _, size := range []int{10, 1000, 100_000} {
		if err := s.oneDomain(ctx, r, size); err != nil {
			return fmt.Errorf("domain of %d endpoints: %w", size, err)
		}
	}
	return nil
}

func (s settings) oneDomain(ctx context.Context, r *report, size int) error {
	f, err := s.fleetOf(ctx, domainHosts+otherHosts)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.fillDomain(ctx, size); err != nil {
		return err
	}
	var local, remote, other []float64
	fragments, err := f.metric(ctx, "dovetail_fragments_compiled_total")
	if err != nil {
		return err
	}
	for i := range domainGrowth {
		bytes, err := f.grow(ctx, size+i)
		if err != nil {
			return err
		}
		for h, n := range bytes {
			switch {
			case h == (size+i)%domainHosts:
				local = append(local, n)
			case h < domainHosts:
				remote = append(remote, n)
			default:
				other = append(other, n)
			}
		}
	}
	after, err := f.metric(ctx, "dovetail_fragments_compiled_total")
	name := fmt.Sprintf("incremental.%d", size)
	r.figure(name+".fragments", (after-fragments)/domainGrowth, "fragments/endpoint")
	for _, at := range []struct {
		host  string
		bytes []float64
	}{{"local", local}, {"remote", remote}, {"other", other}} {
		v := slices.Sorted(slices.Values(at.bytes))
		r.figure(name+".bytes."+at.host+".p50", v[len(v)/2], "bytes/host")
		r.figure(name+".bytes."+at.host+".max", v[len(v)-1], "bytes/host")
	}
	return err
}

// fillDomain makes one network behind a router, with endpoints on the first hosts
// in turn, and the ports of those that will be added.
func (f *fleet) fillDomain(ctx context.Context, size int) error {
	ports := make([][]string, domainHosts)
	for e := range size + domainGrowth {
		ports[e%domainHosts] = append(ports[e%domainHosts], fmt.Sprintf("wide/e%d", e))
	}
	for h, list := range ports {
		if err := f.Hosts()[h].AddPorts(list...); err != nil {
			return err
		}
	}
	const requests = 5000
	m := "kind: Tenant\nmetadata: {name: wide}\nspec: {}\n---\n" +
		"kind: Network\nmetadata: {tenant: wide, name: blue}\nspec: {subnets: [{cidr: 10.0.0.0/8}]}\n---\n" +
		"kind: Router\nmetadata: {tenant: wide, name: core}\nspec: {networks: [blue]}\n"
	if _, err := f.api.Apply(ctx, []byte(m), client.ApplyOptions{}); err != nil {
		return err
	}
	for first := 0; first < size; first += requests {
		var m strings.Builder
		for e := first; e < min(size, first+requests); e++ {
			writeEndpoint(&m, "wide", e, "blue")
		}
		if _, err := f.api.Apply(ctx, []byte(m.String()), client.ApplyOptions{Wait: 5 * time.Minute}); err != nil {
			return err
		}
	}
	return f.untilQuiet(ctx)
}

// grow adds an endpoint, and returns how many bytes each host was sent for it.
func (f *fleet) grow(ctx context.Context, e int) ([]float64, error) {
	before := make([]sim.Traffic, len(f.Hosts()))
	for i, h := range f.Hosts() {
		before[i] = h.Traffic()
	}
	var spec client.Endpoint
	spec.Spec.Network = "blue"
	if _, err := f.api.Endpoints("wide").Put(ctx, fmt.Sprintf("e%d", e), nil, spec.Spec, client.WriteOptions{Wait: time.Minute}); err != nil {
		return nil, err
	}
	if err := sleep(ctx, 100*time.Millisecond); err != nil { // what is not waited for comes soon after
		return nil, err
	}
	bytes := make([]float64, len(before))
	for i, h := range f.Hosts() {
		bytes[i] = float64(h.Traffic().Bytes - before[i].Bytes)
	}
	return bytes, nil
}
