package rest_test

import (
	"strings"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
)

const countedManifest = `
{kind: Router, metadata: {tenant: acme, name: core}, spec: {networks: [blue]}}
---
{kind: ServiceFunction, metadata: {tenant: acme, name: fw}, spec: {type: routed, instances: [{in: web1}]}}
---
{kind: Chain, metadata: {tenant: acme, name: c}, spec: {router: core, functions: [fw]}}
`

// Switches are asked where one chain is read, and nowhere else.
func TestCountersAreReadWithOneChain(t *testing.T) {
	a := newAPI(t, nil)
	a.shop()
	a.must(200, "POST", "/v1/apply", countedManifest)
	key := topology.Key{Kind: topology.KindChain, Tenant: "acme", Name: "c"}
	fw := topology.InstanceStatus{In: "web1", Number: 1, Host: "h2", Healthy: true}
	a.world.Set(key, topology.Status{Phase: topology.PhaseRealized, Hops: []topology.HopStatus{
		{HopAllocation: topology.HopAllocation{Function: "acme/fw"}, Type: topology.FunctionRouted, FailMode: "reroute, then closed", Instances: []topology.HopInstance{{InstanceStatus: fw}}},
	}})
	asked := 0
	a.world.SetCounted(key, func(st *topology.Status) {
		asked++
		dropped := uint64(0)
		st.Entered = &topology.Counters{Forward: topology.Count{Packets: 7, Bytes: 700}}
		st.Hops[0].Dropped = &dropped
		st.Hops[0].Instances[0].Counters = st.Entered
	})
	const path = "/v1/tenants/acme/chains/c"
	const counters = `{"forward":{"packets":7,"bytes":700},"backward":{"packets":0,"bytes":0}}`
	read := a.must(200, "GET", path, "")
	for _, want := range []string{
		`"entered":` + counters,
		`"hops":[{"function":"acme/fw","slot":1,"vlan":1,"type":"routed","failMode":"reroute, then closed","instances":[{"in":"web1","number":1,"host":"h2","healthy":true,"counters":` + counters + `}],"dropped":0}]`,
	} {
		if !strings.Contains(read.body, want) {
			t.Errorf("no %s in %s", want, read.body)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for one chain", asked)
	}
	for _, ans := range []answer{a.must(200, "GET", "/v1/chains", ""), a.must(200, "PUT", path, read.body)} {
		if strings.Contains(ans.body, "packets") || !strings.Contains(ans.body, `"host":"h2"`) {
			t.Errorf("want the status without counters: %s", ans.body)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times, though only one chain was read once", asked)
	}
}
