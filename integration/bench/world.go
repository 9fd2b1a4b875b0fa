package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/integration/lab"
	"golang.org/x/sync/errgroup"
)

// labName is that of the benchmark's lab.
const labName = "bench"

// world is a lab with a controller process, and one network of one tenant.
type world struct {
	lab *lab.Lab
	*process
}

const manifest = "kind: Tenant\nmetadata: {name: bench}\nspec: {}\n---\n" +
	"kind: Network\nmetadata: {tenant: bench, name: blue}\nspec: {subnets: [{cidr: 10.0.0.0/16}]}\n---\n" +
	"kind: Router\nmetadata: {tenant: bench, name: core}\nspec: {networks: [blue]}\n"

func (s settings) world(ctx context.Context) (w *world, err error) {
	w = &world{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.lab, err = lab.Up(ctx, lab.Config{Name: labName, Hosts: s.hosts, Owner: os.Getpid()}); err != nil {
		return w, err
	}
	at := w.lab.Controller.String()
	if w.process, err = newProcess(s.program, w.lab.Folder("controller"), at+":6640", at+":6653"); err != nil {
		return w, err
	}
	if err := w.start(ctx); err != nil {
		return w, err
	}
	for _, h := range w.lab.Hosts() {
		if err := w.untilReady(ctx, h); err != nil {
			return w, err
		}
	}
	_, err = w.api.Apply(ctx, []byte(manifest), client.ApplyOptions{})
	return w, err
}

func (w *world) untilReady(ctx context.Context, host string) error {
	end := time.Now().Add(time.Minute)
	for {
		err := w.api.Hosts().Wait(ctx, host, 5*time.Second)
		if err == nil || time.Now().After(end) || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (w *world) close() {
	if w.process != nil {
		w.process.close()
	}
	if err := lab.Down(labName); err != nil {
		fmt.Fprintln(os.Stderr, "bench: removing the lab:", err)
	}
}

// prepare adds internal ports for endpoints from number first to number last,
// spread over the hosts.
func (w *world) prepare(first, last int) error {
	hosts := w.lab.Hosts()
	ports := map[string][]lab.InternalPort{}
	for i := first; i <= last; i++ {
		h := hosts[i%len(hosts)]
		ports[h] = append(ports[h], lab.InternalPort{Name: fmt.Sprintf("p%d", i), InterfaceID: fmt.Sprintf("bench/e%d", i)})
	}
	var g errgroup.Group
	g.SetLimit(4)
	for h, list := range ports {
		g.Go(func() error { return w.lab.Host(h).AddInternalPorts(list) })
	}
	return g.Wait()
}

// declare declares endpoints in one request, and waits until all are realized.
func (w *world) declare(ctx context.Context, first, last int) error {
	var m strings.Builder
	for i := first; i <= last; i++ {
		writeEndpoint(&m, "bench", i, "blue")
	}
	_, err := w.api.Apply(ctx, []byte(m.String()), client.ApplyOptions{Wait: 4 * time.Minute})
	return err
}

// writeEndpoint adds an endpoint with a number to a manifest.
func writeEndpoint(m *strings.Builder, tenant string, number int, network string) {
	fmt.Fprintf(m, "---\nkind: Endpoint\nmetadata: {tenant: %s, name: e%d}\nspec: {network: %s}\n", tenant, number, network)
}

// attach makes a workload with a namespace for an endpoint.
func (w *world) attach(ctx context.Context, name, host string) (*lab.Workload, *client.Endpoint, error) {
	return w.attachTo(ctx, "blue", name, host)
}

// attachTo is attach, in another network, with default routes if there are gateways.
func (w *world) attachTo(ctx context.Context, network, name, host string, gateways ...netip.Addr) (*lab.Workload, *client.Endpoint, error) {
	eps := w.api.Endpoints("bench")
	var spec client.Endpoint
	spec.Spec.Network = network
	e, err := eps.Put(ctx, name, nil, spec.Spec, client.WriteOptions{})
	if err != nil {
		return nil, nil, err
	}
	wl, err := w.lab.Attach(w.lab.Host(host), lab.AttachConfig{
		InterfaceID: e.Status.InterfaceID, MAC: e.Status.MAC.String(), MTU: 1450,
		Addresses: []netip.Prefix{netip.PrefixFrom(e.Status.Addresses[0], 16)}, Gateways: gateways,
	})
	if err != nil {
		return nil, nil, err
	}
	return wl, e, eps.Wait(ctx, name, 20*time.Second)
}

// cpuOfAll is the processor time that processes have used, in seconds: the
// controller's, and that of all hosts' switches and databases.
func (w *world) cpuOfAll() (controller, hosts float64) {
	for _, h := range w.lab.Hosts() {
		hosts += processTime(w.lab.Host(h).PID("ovs-vswitchd")) + processTime(w.lab.Host(h).PID("ovsdb-server"))
	}
	return w.cpu(), hosts
}

func processTime(pid int) float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return float64(user+system) / 100
}
