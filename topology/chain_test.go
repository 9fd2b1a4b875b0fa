package topology

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// chained is a world with a router edge beside core, and functions: fw, routed, of two
// instances; lb, rewriting; ids, a tap; shared, of tenant other and shared with acme; and
// a chain through fw.
func chained(t testing.TB) *State {
	t.Helper()
	s := world(t)
	commit(t, s, `
{kind: Router, metadata: {name: edge, tenant: acme}, spec: {networks: [flat]}}
---
{kind: Endpoint, metadata: {name: e1, tenant: acme}, spec: {network: red}}
---
{kind: Endpoint, metadata: {name: e2, tenant: acme}, spec: {network: red}}
---
{kind: Endpoint, metadata: {name: e3, tenant: acme}, spec: {network: red}}
---
{kind: Endpoint, metadata: {name: e4, tenant: acme}, spec: {network: red}}
---
{kind: Network, metadata: {name: blue, tenant: other}, spec: {subnets: [{cidr: 10.0.0.0/24}]}}
---
{kind: Router, metadata: {name: core, tenant: other}, spec: {networks: [blue]}}
---
{kind: Endpoint, metadata: {name: e1, tenant: other}, spec: {network: blue}}
---
{kind: ServiceFunction, metadata: {name: shared, tenant: other}, spec: {type: routed, tagged: true, instances: [{in: e1}], sharedWith: [acme]}}
---
{kind: ServiceFunction, metadata: {name: private, tenant: other}, spec: {type: routed}}
---
{kind: ServiceFunction, metadata: {name: fw, tenant: acme}, spec: {type: routed, instances: [{in: e1, out: e2}, {in: e3}]}}
---
{kind: ServiceFunction, metadata: {name: lb, tenant: acme}, spec: {type: rewriting}}
---
{kind: ServiceFunction, metadata: {name: ids, tenant: acme}, spec: {type: tap}}
---
{kind: Chain, metadata: {name: one, tenant: acme}, spec: {router: core, functions: [fw], sources: [{network: blue}], destinations: [{external: true}]}}
`)
	return s
}

func chainOf(name, spec string) string {
	return "{kind: Chain, metadata: {name: " + name + ", tenant: acme}, spec: {" + spec + "}}\n"
}

func functionOf(name, spec string) string {
	return "{kind: ServiceFunction, metadata: {name: " + name + ", tenant: acme}, spec: {" + spec + "}}\n"
}

const and = "---\n"

func TestChainRules(t *testing.T) {
	const fw = "type: routed, instances: [{in: e1, out: e2}, {in: e3}]"
	shared := func(spec string) string {
		return "{kind: ServiceFunction, metadata: {name: shared, tenant: other}, spec: {" + spec + "}}\n"
	}
	for _, tc := range []struct{ what, doc, want string }{ // "" if it is valid
		{"a tenant that is not there", "{kind: Chain, metadata: {name: c, tenant: nobody}, spec: {router: core, functions: [fw]}}", "Chain nobody/c: metadata.tenant: tenant nobody does not exist"},
		{"a function of a tenant that is not there", "{kind: ServiceFunction, metadata: {name: f, tenant: nobody}, spec: {type: tap}}", "metadata.tenant: tenant nobody does not exist"},

		{"an endpoint that is not there", functionOf("x", "type: routed, instances: [{in: e4}, {in: auto, out: e9}]"), "ServiceFunction acme/x: spec.instances[1].out: Endpoint acme/e9 does not exist; create it first"},
		{"an endpoint of another one", functionOf("x", "type: routed, instances: [{in: e4}, {in: auto, out: e2}]"), "ServiceFunction acme/x: spec.instances[1].out: Endpoint acme/e2 is in an instance of another service function already; an endpoint is in one (held by ServiceFunction acme/fw)"},
		{"the only endpoint of another one's instance", functionOf("x", "type: routed, instances: [{in: e3}]"), "spec.instances[0].in: Endpoint acme/e3 is in an instance"},
		{"an endpoint changes hands", functionOf("x", "type: routed, instances: [{in: e3}]") + and + functionOf("fw", "type: routed, instances: [{in: e1, out: e2}]"), ""},
		{"two want one endpoint", functionOf("x", "type: routed, instances: [{in: e4}]") + and + functionOf("z", "type: tap, instances: [{in: e4}]"), "ServiceFunction acme/z: spec.instances[0].in"},
		{"an instance's endpoint goes", "delete Endpoint acme/e2", "Endpoint acme/e2 is still referenced by ServiceFunction acme/fw"},
		{"it goes with its function's instance", "delete Endpoint acme/e2\n" + and + functionOf("fw", "type: routed, instances: [{in: e1}, {in: e3}]"), ""},

		{"a router that is not there", chainOf("x", "router: r9, functions: [fw]"), "Chain acme/x: spec.router: Router acme/r9 does not exist; create it first"},
		{"another router", chainOf("one", "router: edge, functions: [fw]"), "Chain acme/one: spec.router: edge; it cannot change, and it is core: make another chain"},
		{"its router goes", "delete Router acme/core", "Router acme/core is still referenced by Chain acme/one"},
		{"its router goes with it", "delete Router acme/core\n" + and + "delete Chain acme/one", ""},
		{"its router is replaced", "delete Router acme/core\n" + and + "delete Chain acme/one\n" + and + "{kind: Router, metadata: {name: c2, tenant: acme}, spec: {networks: [blue]}}\n" + and + chainOf("two", "router: c2, functions: [fw]"), ""},

		{"a network that is not joined", chainOf("x", "router: core, functions: [fw], destinations: [{network: blue}, {network: flat}]"), "Chain acme/x: spec.destinations[1].network: flat is no network of Router acme/core; name one that it joins"},
		{"a network that is not there", chainOf("x", "router: core, functions: [fw], sources: [{network: n9}]"), "spec.sources[0].network: n9 is no network"},
		{"a network leaves the router", "{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [red]}}", "Router acme/core: spec.networks: without network blue, which is among the chain's sources; change the chain first (held by Chain acme/one)"},
		{"one that is no side leaves it", "{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [blue]}}", ""},
		{"the chain lets go of it", chainOf("one", "router: core, functions: [fw]") + and + "{kind: Router, metadata: {name: core, tenant: acme}, spec: {networks: [red]}}", ""},
		{"the network moves to another router", "{kind: Router, metadata: {name: core, tenant: acme}}\n" + and + "{kind: Router, metadata: {name: edge, tenant: acme}, spec: {networks: [blue]}}", "spec.networks: without network blue"},
		{"the network goes", "delete Network acme/blue", "is still referenced by"},

		{"a function that is not there", chainOf("x", "router: core, functions: [fw, f9]"), "Chain acme/x: spec.functions[1]: ServiceFunction acme/f9 does not exist; create it first"},
		{"one of another tenant that is not there", chainOf("x", "router: core, functions: [other/f9]"), "spec.functions[0]: there is no ServiceFunction other/f9 that is shared with tenant acme; have its owner add acme to its sharedWith"},
		{"one that is not shared", chainOf("x", "router: core, functions: [other/private]"), "spec.functions[0]: there is no ServiceFunction other/private that is shared with tenant acme"},
		{"one that is shared", chainOf("x", "router: core, functions: [other/shared, acme/fw]"), ""},
		{"a function goes", "delete ServiceFunction acme/fw", "ServiceFunction acme/fw is still referenced by Chain acme/one"},
		{"it goes with its chain", "delete ServiceFunction acme/fw\n" + and + "delete Chain acme/one", ""},
		{"the chain lets go of a function that goes", "delete ServiceFunction acme/fw\n" + and + chainOf("one", "router: core, functions: [lb]"), ""},
		{"a shared one goes", chainOf("x", "router: core, functions: [other/shared]") + and + "delete ServiceFunction other/shared", "spec.functions[0]: there is no ServiceFunction other/shared"},

		{"a second router", chainOf("x", "router: edge, functions: [ids, fw]"), "Chain acme/x: spec.functions[1]: ServiceFunction acme/fw is not tagged, so that it can be in chains of one router only; use another service function, or have it tagged (held by Chain acme/one)"},
		{"a second chain of the router", chainOf("x", "router: core, functions: [fw]"), ""},
		{"a second router, of another tenant", shared("type: routed, sharedWith: [acme]") + and + chainOf("x", "router: core, functions: [other/shared]") + and + "{kind: Chain, metadata: {name: x, tenant: other}, spec: {router: core, functions: [shared]}}", "not tagged, so that it can be in chains of one router only"},
		{"a second router, tagged", functionOf("fw", fw+", tagged: true") + and + chainOf("x", "router: edge, functions: [fw]"), ""},
		{"a second router instead of the first", "delete Chain acme/one\n" + and + chainOf("x", "router: edge, functions: [fw]"), ""},
		{"two chains that rewrite", chainOf("x", "router: core, functions: [lb]") + and + chainOf("z", "router: core, functions: [fw, lb]"), "lb rewrites packets and is not tagged, so that it can be in one chain only"},
		{"two chains that rewrite, tagged", functionOf("lb", "type: rewriting, tagged: true") + and + chainOf("x", "router: core, functions: [lb]") + and + chainOf("z", "router: edge, functions: [lb]"), ""},
		{"a tap anywhere", chainOf("x", "router: core, functions: [ids]") + and + chainOf("z", "router: edge, functions: [ids]"), ""},
	} {
		try(t, chained(t), tc.what, tc.doc, tc.want)
	}
}

// What holds when a chain is written holds when its functions change.
func TestFunctionsChangeUnderTheirChains(t *testing.T) {
	s := chained(t)
	commit(t, s, functionOf("fw", "type: routed, tagged: true")+and+chainOf("two", "router: edge, functions: [fw, ids, other/shared]"))
	try(t, s, "no longer tagged", functionOf("fw", "type: routed"),
		"ServiceFunction acme/fw: spec.tagged: ServiceFunction acme/fw is not tagged, so that it can be in chains of one router only, and Chain acme/one uses it too; set tagged, or change one of the chains first (held by Chain acme/two)")
	try(t, s, "a tap instead", functionOf("fw", "type: tap"), "")
	try(t, s, "another type, tagged", functionOf("fw", "type: rewriting, tagged: true"), "")
	try(t, s, "no longer tagged, but in one chain", functionOf("fw", "type: rewriting")+and+"delete Chain acme/one", "")
	try(t, s, "no longer shared", "{kind: ServiceFunction, metadata: {name: shared, tenant: other}, spec: {type: routed, tagged: true}}",
		"ServiceFunction other/shared: spec.sharedWith: a chain of tenant acme uses it; change or delete the chain first (held by Chain acme/two)")
	try(t, s, "shared with more", "{kind: ServiceFunction, metadata: {name: shared, tenant: other}, spec: {type: routed, sharedWith: [x, acme]}}", "")
	try(t, s, "no longer shared, nor used", "{kind: ServiceFunction, metadata: {name: shared, tenant: other}, spec: {type: routed}}\n"+and+chainOf("two", "router: edge, functions: [fw]"), "")
	try(t, s, "it goes, though another tenant uses it", "delete ServiceFunction other/shared", "still referenced by Chain acme/two")

	commit(t, s, functionOf("lb", "type: routed")+and+chainOf("three", "router: core, functions: [lb]")+and+chainOf("four", "router: core, functions: [lb]"))
	try(t, s, "rewriting in two chains", functionOf("lb", "type: rewriting"), "ServiceFunction acme/lb: spec.tagged: ServiceFunction acme/lb rewrites packets")
	try(t, s, "rewriting in two chains, tagged", functionOf("lb", "type: rewriting, tagged: true"), "")
}

func TestInstancesKeepTheirNumbers(t *testing.T) {
	s := chained(t)
	numbers := func(instances string) string {
		t.Helper()
		f := commit(t, s, functionOf("fw", "type: routed, instances: ["+instances+"]"))[0].(*ServiceFunction)
		var list []string
		for i, a := range f.Allocated.Instances {
			if a.In != f.Spec.Instances[i].In {
				t.Errorf("instance %d is %s, allocated for %s", i, f.Spec.Instances[i].In, a.In)
			}
			list = append(list, fmt.Sprintf("%s=%d", a.In, a.Number))
		}
		return strings.Join(list, " ")
	}
	id := s.Get(Key{KindServiceFunction, "acme", "fw"}).(*ServiceFunction).Allocated.ID
	for _, step := range []struct{ instances, want string }{
		{"{in: e1, out: e2}, {in: e3}", "e1=1 e3=2"},
		{"{in: e3}, {in: e1}", "e3=2 e1=1"},
		{"{in: e4}, {in: e3}", "e4=3 e3=2"}, // 1 was used just before
		{"{in: e4}, {in: e3}, {in: e1}", "e4=3 e3=2 e1=1"},
		{"{in: e2}", "e2=4"},
		{"{in: auto}", "auto=1"},
		{"", ""},
		{"{in: e1}", "e1=1"},
	} {
		if got := numbers(step.instances); got != step.want {
			t.Errorf("%s: %s, want %s", step.instances, got, step.want)
		}
	}
	if now := s.Get(Key{KindServiceFunction, "acme", "fw"}).(*ServiceFunction).Allocated.ID; now != id || id < 1 || id > MaxFunctionID {
		t.Errorf("the function's number is %d, was %d", now, id)
	}

	// All are replaced at once, and there are too few others.
	changes, first, second := []Change{}, []string{}, []string{}
	for i := range MaxInstances + 20 {
		name := fmt.Sprintf("i%d", i)
		changes = append(changes, toChanges(t, "{kind: Endpoint, metadata: {name: "+name+", tenant: acme}, spec: {network: flat}}")...)
		if in := "{in: " + name + "}"; i < MaxInstances {
			first = append(first, in)
		} else {
			second = append(second, in)
		}
	}
	if _, err := s.Try(changes, testEnv); err != nil {
		t.Fatal(err)
	}
	numbers(strings.Join(first, ","))
	if got := numbers(strings.Join(append(second, first[30]), ",")); !strings.HasPrefix(got, "i31=2 i32=3 ") || !strings.HasSuffix(got, "i50=21 i30=1") {
		t.Errorf("all but one are replaced: %s", got)
	}
}

func TestPriorities(t *testing.T) {
	s := chained(t)
	priority := func(name, spec string) int {
		t.Helper()
		return commit(t, s, chainOf(name, "router: core, functions: [fw]"+spec))[0].(*Chain).Allocated.Priority
	}
	for _, step := range []struct {
		name, spec string
		want       int
	}{
		{"one", "", 5000}, {"two", "", 4999}, {"three", ", priority: 100", 100}, {"four", "", 99},
		{"three", "", 100}, {"two", ", priority: 7000", 7000}, {"five", ", priority: 1", 1},
		{"six", "", 10000}, {"seven", "", 9999}, {"six", "", 10000}, {"eight", ", priority: 9998", 9998}, {"nine", "", 9997},
	} {
		if got := priority(step.name, step.spec); got != step.want {
			t.Errorf("%s%s has %d, want %d", step.name, step.spec, got, step.want)
		}
	}
	if got := commit(t, s, chainOf("x", "router: edge, functions: [ids]"))[0].(*Chain).Allocated.Priority; got != 5000 {
		t.Errorf("the first chain of another router has %d", got)
	}
	try(t, s, "one that is taken", chainOf("x2", "router: core, functions: [fw], priority: 7000"),
		"Chain acme/x2: spec.priority: 7000 is the priority of another chain of Router acme/core already; choose another, or leave it out to have one allocated (held by Chain acme/two)")
	try(t, s, "two want one", chainOf("x2", "router: core, functions: [fw], priority: 42")+and+chainOf("x3", "router: core, functions: [fw], priority: 42"), "Chain acme/x3: spec.priority: 42")
	try(t, s, "at another router", chainOf("x2", "router: edge, functions: [ids], priority: 7000"), "")
	try(t, s, "it changes hands", chainOf("one", "router: core, functions: [fw], priority: 7000")+and+chainOf("two", "router: core, functions: [fw], priority: 5000"), "")
	// What users chose goes before what was allocated, whatever the order.
	for _, set := range []string{
		chainOf("six", "router: core, functions: [fw]") + and + chainOf("x2", "router: core, functions: [fw], priority: 10000"),
		chainOf("x2", "router: core, functions: [fw], priority: 10000") + and + chainOf("six", "router: core, functions: [fw]"),
	} {
		d, err := s.Try(toChanges(t, set), testEnv)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Get(Key{KindChain, "acme", "six"}).(*Chain).Allocated.Priority; got != 9996 {
			t.Errorf("six has %d now", got)
		}
		d.Undo()
	}
}

func TestChainNumbers(t *testing.T) {
	s := chained(t)
	one := s.Get(Key{KindChain, "acme", "one"}).(*Chain)
	if a := one.Allocated; a.ID < 1 || a.ID > MaxChainID || a.Zone == 0 || len(a.Hops) != 1 || a.Hops[0] != (HopAllocation{"acme/fw", 1, 1}) {
		t.Fatalf("%+v", a)
	}
	two := commit(t, s, chainOf("two", "router: core, functions: [ids, other/shared, fw]"))[0].(*Chain)
	if got := fmt.Sprint(two.Allocated.Hops); got != "[{acme/ids 1 1} {other/shared 2 1} {acme/fw 3 2}]" {
		t.Errorf("hops %s", got)
	}
	if two.Allocated.ID == one.Allocated.ID || two.Allocated.Zone == one.Allocated.Zone {
		t.Errorf("%+v and %+v", one.Allocated, two.Allocated)
	}
	// The one gives up a tag, the other keeps its own, and a third one takes the lowest.
	objects := commit(t, s, chainOf("three", "router: core, functions: [fw]")+and+chainOf("two", "router: core, functions: [fw, ids]")+and+chainOf("one", "router: core, functions: [lb]"))
	three, two, again := objects[0].(*Chain), objects[1].(*Chain), objects[2].(*Chain)
	if got := fmt.Sprint(three.Allocated.Hops, two.Allocated.Hops, again.Allocated.Hops); got != "[{acme/fw 1 3}] [{acme/fw 3 2} {acme/ids 1 1}] [{acme/lb 2 1}]" {
		t.Errorf("hops %s", got) // 1 is one's until all of the set is put
	}
	if four := commit(t, s, chainOf("four", "router: core, functions: [fw]"))[0].(*Chain); four.Allocated.Hops[0].VLAN != 1 {
		t.Errorf("hops %v", four.Allocated.Hops)
	}
	if again.Allocated.ID != one.Allocated.ID || again.Allocated.Zone != one.Allocated.Zone || again.Allocated.Priority != one.Allocated.Priority {
		t.Errorf("%+v, was %+v", again.Allocated, one.Allocated)
	}
	fw := s.Get(Key{KindServiceFunction, "acme", "fw"}).(*ServiceFunction)
	tagged := fw.Clone().(*ServiceFunction)
	tagged.Spec.Tagged = true
	if h := three.Allocated.Hops[0]; h.Tag(fw) != 0 || h.Tag(tagged) != 3 {
		t.Errorf("tags %d and %d", h.Tag(fw), h.Tag(tagged))
	}
}

// Nothing is kept of a function that goes while a chain that used it stays.
func TestFunctionsAreForgotten(t *testing.T) {
	for _, set := range []string{
		chainOf("one", "router: core, functions: [lb]") + and + "delete ServiceFunction acme/fw",
		"delete ServiceFunction acme/fw\n" + and + chainOf("one", "router: core, functions: [lb]"),
	} {
		s, again := chained(t), NewState()
		commit(t, s, set)
		for _, kind := range Kinds() {
			for _, o := range s.List(kind, "") {
				again.Put(o)
			}
		}
		if a, b := snapshot(s), snapshot(again); a != b {
			t.Errorf("after %s:\n%s\nwant:\n%s", set, a, b)
		}
	}
}

// Zones are of routers at their gateways and of chains alike.
func TestZonesAreShared(t *testing.T) {
	s := chained(t)
	one := s.Get(Key{KindChain, "acme", "one"}).(*Chain)
	for zone := uint32(1); zone < 1<<16; zone++ {
		if zone != one.Allocated.Zone && zone != 7 {
			s.zones.take(zone, Key{Kind: KindRouter, Tenant: "x", Name: "x"})
		}
	}
	if two := commit(t, s, chainOf("two", "router: core, functions: [fw]"))[0].(*Chain); two.Allocated.Zone != 7 {
		t.Errorf("zone %d", two.Allocated.Zone)
	}
	s.zones.release(7, Key{KindChain, "acme", "two"})
	try(t, s, "one zone for two", chainOf("three", "router: core, functions: [fw]")+and+chainOf("four", "router: core, functions: [fw]"), "Chain acme/four: metadata.name: all 65535 connection tracking zones are taken")
	s.zones.take(7, Key{KindChain, "acme", "two"})
	try(t, s, "no zone is left", chainOf("three", "router: core, functions: [fw]"), "all 65535 connection tracking zones are taken")
}

// Networks that an earlier version gave a VNI of the chains' keep it.
func TestChainsAvoidVNIsOfNetworks(t *testing.T) {
	s := chained(t)
	free := NewState()
	old := func(vni uint32) *Network {
		n := &Network{Metadata: Metadata{Name: fmt.Sprintf("n%d", vni), Tenant: "acme", Revision: 1}}
		n.Allocated = NetworkAllocation{VNI: vni, MTU: 1450}
		return n
	}
	id, _ := free.newChainID(Key{KindChain, "acme", "x"})
	first, last := chainVNIs(id)
	if first != 0xC00000|id<<10 || last != first|0x3ff {
		t.Fatalf("chain %d has VNIs %#x to %#x", id, first, last)
	}
	s.Put(old(last))
	if x := commit(t, s, chainOf("x", "router: core, functions: [fw]"))[0].(*Chain); x.Allocated.ID != id%MaxChainID+1 {
		t.Errorf("chain %d, though a network has VNI %d", x.Allocated.ID, last)
	}
	same := commit(t, s, fmt.Sprintf("{kind: Network, metadata: {name: n%d, tenant: acme}, spec: {subnets: [{cidr: 10.77.0.0/24}]}}", last))[0].(*Network)
	if same.Allocated.VNI != last {
		t.Errorf("VNI %d, was %d", same.Allocated.VNI, last)
	}
	if _, highest := chainVNIs(MaxChainID); highest >= 16777211 {
		t.Errorf("the last chain has VNI %d, which is for gateways", highest)
	}
}

// What a chain allocates for its way changes with the way alone, and a function keeps its
// slot wherever it is.
func TestChainGenerations(t *testing.T) {
	s := chained(t)
	put := func(name, functions string) ChainAllocation {
		t.Helper()
		return commit(t, s, chainOf(name, "router: core, functions: ["+functions+"]"))[0].(*Chain).Allocated
	}
	for _, step := range []struct{ functions, want string }{
		{"fw", "0 [1]"}, {"fw", "0 [1]"}, {"ids, fw", "1 [2 1]"}, {"fw, ids", "2 [1 2]"}, {"fw, lb", "3 [1 3]"},
		{"fw, ids, lb", "4 [1 2 3]"}, {"lb", "5 [3]"}, {"ids", "6 [1]"},
	} {
		a := put("ways", step.functions)
		var slots []int
		for _, h := range a.Hops {
			slots = append(slots, h.Slot)
		}
		if got := fmt.Sprint(a.Generation, " ", slots); got != step.want {
			t.Errorf("functions %s: generation and slots %s, want %s", step.functions, got, step.want)
		}
	}
}

func TestChainNumbersRunOut(t *testing.T) {
	s := chained(t)
	var changes []Change
	for i := range MaxChainID {
		c := &Chain{Metadata: Metadata{Name: fmt.Sprintf("c%d", i), Tenant: "acme"}, Spec: ChainSpec{Router: "core", Functions: []string{"ids"}}}
		changes = append(changes, Change{Object: c})
	}
	var inv *InvalidError
	if _, err := s.Try(changes, testEnv); !errors.As(err, &inv) || !strings.Contains(inv.Reason, "all 4094 numbers of chains are taken") {
		t.Fatalf("error %v", err)
	}
	if _, err := s.Try(changes[1:], testEnv); err != nil {
		t.Error(err)
	}
}
