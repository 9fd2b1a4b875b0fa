package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// chained is a world whose router joins two networks more: green for servers, and svc
// for service functions.
type chained struct{ *world }

const chainedManifest = `kind: Network
metadata: {tenant: bench, name: green}
spec: {subnets: [{cidr: 10.1.0.0/16}]}
---
kind: Network
metadata: {tenant: bench, name: svc}
spec: {subnets: [{cidr: 10.2.0.0/16}]}
---
kind: Router
metadata: {tenant: bench, name: core}
spec: {networks: [blue, green, svc]}
`

func (s settings) chained(ctx context.Context) (*chained, error) {
	w, err := s.world(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := w.api.Apply(ctx, []byte(chainedManifest), client.ApplyOptions{}); err != nil {
		w.close()
		return nil, err
	}
	return &chained{w}, nil
}

// attach makes a workload of an endpoint in a network, with a default route.
func (c *chained) attach(ctx context.Context, network, name, host string) (*lab.Workload, *client.Endpoint, error) {
	net, err := c.api.Networks("bench").Get(ctx, network)
	if err != nil {
		return nil, nil, err
	}
	return c.attachTo(ctx, network, name, host, net.Status.Subnets[0].Gateway)
}

// instance makes an instance of a transparent function, whose endpoints are NAME-in and
// NAME-out.
func (c *chained) instance(ctx context.Context, name, host string) (*lab.Function, error) {
	var arms [2]lab.AttachConfig
	eps := c.api.Endpoints("bench")
	for i, side := range []string{"-in", "-out"} {
		var spec client.Endpoint
		spec.Spec.Network = "svc"
		e, err := eps.Put(ctx, name+side, nil, spec.Spec, client.WriteOptions{})
		if err != nil {
			return nil, err
		}
		arms[i] = lab.AttachConfig{InterfaceID: e.Status.InterfaceID, MAC: e.Status.MAC.String()}
	}
	f, err := c.lab.AttachTransparent(c.lab.Host(host), arms[0], arms[1])
	if err != nil {
		return nil, err
	}
	return f, errors.Join(eps.Wait(ctx, name+"-in", 20*time.Second), eps.Wait(ctx, name+"-out", 20*time.Second))
}

// writeFunction adds a transparent function to a manifest, with instances named by what
// their endpoints' names begin with; weights are theirs, or nil.
func writeFunction(m *strings.Builder, tenant, name string, weights []int, instances ...string) {
	var list []string
	for i, in := range instances {
		text := fmt.Sprintf("{in: %s-in, out: %[1]s-out}", in)
		if weights != nil {
			text = fmt.Sprintf("{in: %s-in, out: %[1]s-out, weight: %d}", in, weights[i])
		}
		list = append(list, text)
	}
	fmt.Fprintf(m, "---\nkind: ServiceFunction\nmetadata: {tenant: %s, name: %s}\nspec: {type: transparent, instances: [%s]}\n", tenant, name, strings.Join(list, ", "))
}

// writeChain adds a chain from the network blue to the network green to a manifest.
func writeChain(m *strings.Builder, tenant string, functions ...string) {
	fmt.Fprintf(m, "---\nkind: Chain\nmetadata: {tenant: %s, name: chain}\nspec: {router: core, functions: [%s], sources: [{network: blue}], destinations: [{network: green}]}\n",
		tenant, strings.Join(functions, ", "))
}

// declareChain applies a manifest with a chain, and waits until it works: until hosts have
// heard of each other, those of instances are taken for dead.
func (c *chained) declareChain(ctx context.Context, manifest string) error {
	if _, err := c.api.Apply(ctx, []byte(manifest), client.ApplyOptions{}); err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := c.api.Chains("bench").Wait(ctx, "chain", 5*time.Second)
		if err == nil || time.Now().After(end) || ctx.Err() != nil {
			return err
		}
	}
}
