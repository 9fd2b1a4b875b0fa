package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// edge is a world with a gateway: its hosts have a bridge to the outside, where a
// machine "server" has 203.0.113.1 and a few more addresses.
type edge struct {
	*world
	server *lab.Outside
}

const edgeManifest = `kind: ExternalNetwork
metadata: {name: internet}
spec:
  physicalNetwork: physnet1
  subnets:
  - {cidr: 203.0.113.0/24, nextHops: [203.0.113.1], pools: [203.0.113.100-203.0.113.199]}
---
kind: Gateway
metadata: {name: edge}
spec: {externalNetwork: internet, hosts: [%s]}
---
kind: Network
metadata: {tenant: bench, name: blue}
spec: {subnets: [{cidr: 10.0.0.0/16}]}
---
kind: Router
metadata: {tenant: bench, name: core}
spec: {networks: [blue], gateways: [{name: edge}]}
`

var outsideServer = netip.MustParseAddr("203.0.113.1")

// edge makes a world whose hosts named are those of a gateway.
func (s settings) edge(ctx context.Context, gateways ...string) (e *edge, err error) {
	w, err := s.world(ctx)
	if err != nil {
		return nil, err
	}
	e = &edge{world: w}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	var hosts []string
	for _, h := range gateways {
		if err := w.lab.Host(h).MapBridge("physnet1"); err != nil {
			return nil, err
		}
		hosts = append(hosts, "{name: "+h+"}")
	}
	var addresses []netip.Prefix
	for i := 1; i <= 3; i++ {
		addresses = append(addresses, netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 24))
	}
	if e.server, err = w.lab.Outside(lab.OutsideConfig{Name: "server", Addresses: addresses}); err != nil {
		return nil, err
	}
	_, err = w.api.Apply(ctx, fmt.Appendf(nil, edgeManifest, strings.Join(hosts, ", ")), client.ApplyOptions{})
	return e, err
}

// attach makes a workload of an endpoint, with a default route; a floating IP for it
// if one is given.
func (e *edge) attach(ctx context.Context, name, host string, floating netip.Addr) (*lab.Workload, error) {
	wl, _, err := e.world.attach(ctx, name, host)
	if err != nil {
		return nil, err
	}
	net, err := e.api.Networks("bench").Get(ctx, "blue")
	if err != nil {
		return nil, err
	}
	via := net.Status.Subnets[0].Gateway
	if out, err := wl.Command("ip", "route", "add", "default", "via", via.String()).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("default route of %s: %w: %s", name, err, out)
	}
	if floating.IsValid() {
		m := fmt.Sprintf("kind: FloatingIP\nmetadata: {tenant: bench, name: %s}\nspec: {gateway: edge, endpoint: %s, address: %s}\n", name, name, floating)
		if _, err := e.api.Apply(ctx, []byte(m), client.ApplyOptions{Wait: 20 * time.Second}); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return wl, lab.Ping(ctx, wl, outsideServer)
}

// carried waits until a host carries the gateway's only lane.
func (e *edge) carried(ctx context.Context, host string) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		g, err := e.api.Gateways().Get(ctx, "edge")
		if err == nil && len(g.Status.Lanes) == 1 && g.Status.Lanes[0].Active == host {
			return nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err(), fmt.Errorf("the gateway's lane is not on %s", host))
		}
	}
}
