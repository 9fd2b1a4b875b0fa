package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

func TestThePathOfAChainIsDrawn(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	count := func(forward, backward uint64) *topology.Counters {
		return &topology.Counters{Forward: topology.Count{Packets: forward}, Backward: topology.Count{Packets: backward}}
	}
	o := &object{Kind: topology.KindChain, Metadata: topology.Metadata{Tenant: "acme", Name: "c"}}
	o.Spec.Router, o.Spec.Protocol = "core", "tcp"
	o.Spec.Ports = []port{{ports: "80"}, {ports: "8000-8100"}}
	o.Spec.Destinations = []topology.Side{{Network: "db"}, {CIDR: netip.MustParsePrefix("192.0.2.0/24")}, {External: true}, {Labels: map[string]string{"tier": "db", "app": "shop"}}}
	o.Status.Entered = count(1234567, 0)
	o.Status.Hops = []topology.HopStatus{
		{
			HopAllocation: topology.HopAllocation{Function: "acme/fw", VLAN: 12}, Type: topology.FunctionRouted, FailMode: "reroute, then closed", Tagged: true,
			Instances: []topology.HopInstance{
				{InstanceStatus: topology.InstanceStatus{In: "fw1-in", Out: "fw1-out", Host: "h2", Healthy: true, Since: now.Add(-90 * time.Second)}, Counters: count(1000, 999), Connections: new(uint64(7))},
				{InstanceStatus: topology.InstanceStatus{In: "fw2", Reason: "Endpoint acme/fw2 is not bound to a host", Drain: true}, Counters: count(0, 12), Connections: new(uint64)},
			},
			Dropped: new(uint64(3)),
		},
		{
			HopAllocation: topology.HopAllocation{Function: "shared/ids", VLAN: 1}, Type: topology.FunctionTransparent, FailMode: "open",
			Skipped: new(uint64(1234)),
		},
		{
			HopAllocation: topology.HopAllocation{Function: "acme/tap"}, Type: topology.FunctionTap, // not asked, or no answer
			Instances: []topology.HopInstance{{InstanceStatus: topology.InstanceStatus{In: "t\x1b1", Host: "h1", Healthy: true}}},
		},
	}
	want := `Path:
  from  every endpoint of router core
    |   packets entered: 1,234,567 forward, 0 backward
  1     fw: routed; reroute, then closed; tag 12
    |   fw1-in>fw1-out  h2  healthy for 90s                        forward 1,000  backward 999  connections 7
    |   fw2             -   not healthy, takes no new connections  forward 0      backward 12   connections 0  Endpoint acme/fw2 is not bound to a host
    |   packets dropped, since no instance could take them: 3
  2     shared/ids: transparent; open; no instances
    |   packets that skipped it, since no instance could take them: 1,234
  3     tap: tap
    |   t 1  h1  healthy
  to    network db or 192.0.2.0/24 or outside or endpoints with app=shop,tier=db, tcp 80,8000-8100
`
	var b strings.Builder
	if err := printPath(&b, o, now); err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
	if got := healthText(o); got != "2/3" {
		t.Errorf("health %s", got)
	}
}
