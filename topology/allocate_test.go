package topology

import (
	"fmt"
	"slices"
	"testing"
)

func addressesOf(o Object) string { return fmt.Sprint(o.(*Endpoint).Allocated.Addresses) }

func TestAllocation(t *testing.T) {
	s := world(t)
	ep := func(name, spec string) *Endpoint {
		t.Helper()
		return commit(t, s, "{kind: Endpoint, metadata: {name: "+name+", tenant: acme}, spec: {"+spec+"}}")[0].(*Endpoint)
	}
	auto := s.Get(Key{KindEndpoint, "acme", "auto"}).(*Endpoint)
	if got := addressesOf(auto); got != "[10.0.0.2 fd00::2]" {
		t.Errorf("the first addresses are %s", got)
	}
	if m := auto.Allocated.MAC; m[0] != 2 {
		t.Errorf("derived MAC %s is not locally administered unicast", m)
	}
	if auto.Allocated.InterfaceID != "acme/auto" {
		t.Errorf("interface id %s", auto.Allocated.InterfaceID)
	}
	if got := addressesOf(ep("a", "network: blue")); got != "[10.0.0.3 fd00::3]" {
		t.Errorf("the next addresses are %s", got)
	}
	ep("b", "network: blue, addresses: [10.0.0.4]")
	if got := addressesOf(ep("c", "network: blue")); got != "[10.0.0.5 fd00::4]" {
		t.Errorf("behind a chosen address: %s", got)
	}
	commit(t, s, "delete Endpoint acme/a")
	if got := addressesOf(ep("d", "network: blue")); got != "[10.0.0.3 fd00::3]" {
		t.Errorf("after a deletion: %s", got)
	}
	before := ep("d", "network: blue")
	after := ep("d", "network: blue, interfaceID: uuid-9")
	if !slices.Equal(before.Allocated.Addresses, after.Allocated.Addresses) || before.Allocated.MAC != after.Allocated.MAC {
		t.Errorf("a replaced endpoint had %+v and has %+v", before.Allocated, after.Allocated)
	}
	moved := ep("d", "network: red")
	if got := addressesOf(moved); got != "[10.1.0.1]" {
		t.Errorf("in another network: %s", got)
	}
	if got := addressesOf(ep("x", "network: blue")); got != "[10.0.0.3 fd00::3]" {
		t.Errorf("after a move: %s", got)
	}
	if got := addressesOf(ep("f", "network: flat")); got != "[]" {
		t.Errorf("in a network without subnets: %s", got)
	}
	commit(t, s, "{kind: Network, metadata: {name: flat, tenant: acme}, spec: {subnets: [{cidr: 10.7.0.0/24}]}}")
	if got := addressesOf(ep("f", "network: flat")); got != "[10.7.0.2]" {
		t.Errorf("put again after the network got a subnet: %s", got)
	}
}

func TestAllocationOfNetworksAndRouters(t *testing.T) {
	s := world(t)
	red := s.Get(Key{KindNetwork, "acme", "red"}).(*Network)
	if red.Allocated.VNI < firstAutoVNI || red.Allocated.VNI > MaxVNI || red.Allocated.MTU != 1450 || red.Allocated.Subnets[0].Gateway.String() != "10.1.0.254" {
		t.Errorf("allocated %+v", red.Allocated)
	}
	again := commit(t, s, "{kind: Network, metadata: {name: red, tenant: acme}, spec: {mtu: 1400, subnets: [{cidr: 10.1.0.0/24}]}}")[0].(*Network)
	if again.Allocated.VNI != red.Allocated.VNI || again.Allocated.MTU != 1400 || again.Allocated.Subnets[0].Gateway.String() != "10.1.0.1" {
		t.Errorf("replaced: %+v", again.Allocated)
	}
	core := s.Get(Key{KindRouter, "acme", "core"}).(*Router)
	if core.Allocated.ID == 0 || core.Allocated.ID >= 1<<31 {
		t.Errorf("router id %d", core.Allocated.ID)
	}
}

func TestSubnetRunsFull(t *testing.T) {
	s := world(t)
	commit(t, s, "{kind: Network, metadata: {name: tiny, tenant: acme}, spec: {subnets: [{cidr: 10.9.0.0/30, gateway: 10.9.0.2}, {cidr: 10.9.1.0/30}]}}")
	for i, want := range []string{"[10.9.0.1]", "[10.9.1.2]"} {
		o := commit(t, s, fmt.Sprintf("{kind: Endpoint, metadata: {name: t%d, tenant: acme}, spec: {network: tiny}}", i))
		if got := addressesOf(o[0]); got != want {
			t.Errorf("endpoint %d: %s, want %s", i, got, want)
		}
	}
	_, err := s.Try(toChanges(t, "{kind: Endpoint, metadata: {name: t3, tenant: acme}, spec: {network: tiny}}"), testEnv)
	if want := "Endpoint acme/t3: spec.network: Network acme/tiny has no free IPv4 address left; give it another subnet"; fmt.Sprint(err) != want {
		t.Errorf("error %v", err)
	}
}

func TestVNIsRunOut(t *testing.T) {
	p := pool{holder: map[uint32]Key{}}
	for i := uint32(1); i < 1<<24; i++ {
		if i != 77 {
			p.taken.add(i)
		}
	}
	if n, ok := p.choose(firstAutoVNI, 1<<24, Key{Name: "x"}); !ok || n != 77 {
		t.Errorf("the last free VNI is %d, %v", n, ok)
	}
	p.taken.add(77)
	if n, ok := p.choose(firstAutoVNI, 1<<24, Key{Name: "x"}); ok {
		t.Errorf("VNI %d out of none", n)
	}
}

// What users choose goes before what is allocated, whatever the order.
func TestChosenGoesFirst(t *testing.T) {
	s := world(t)
	objects := commit(t, s, `
{kind: Endpoint, metadata: {name: a, tenant: acme}, spec: {network: red}}
---
{kind: Endpoint, metadata: {name: b, tenant: acme}, spec: {network: red, addresses: [10.1.0.1]}}
`)
	if addressesOf(objects[0]) != "[10.1.0.2]" {
		t.Errorf("allocated %s", addressesOf(objects[0]))
	}
	// A new endpoint does not take what an old one that is put again has.
	objects = commit(t, s, `
{kind: Endpoint, metadata: {name: c, tenant: acme}, spec: {network: red}}
---
{kind: Endpoint, metadata: {name: a, tenant: acme}, spec: {network: red}}
`)
	if addressesOf(objects[0]) != "[10.1.0.3]" || addressesOf(objects[1]) != "[10.1.0.2]" {
		t.Errorf("allocated %s and %s", addressesOf(objects[0]), addressesOf(objects[1]))
	}
}

func TestDerivedMACsCollide(t *testing.T) {
	s := world(t)
	e := s.Get(Key{KindEndpoint, "acme", "auto"}).(*Endpoint)
	idx := s.networks[e.NetworkKey()]
	if m := deriveMAC(e, idx); m == e.Allocated.MAC || m[0] != 2 {
		t.Errorf("a taken MAC was derived: %s", m)
	}
}

func BenchmarkTryOneOf100k(b *testing.B) {
	s := NewState()
	commit(b, s, "{kind: Tenant, metadata: {name: acme}}\n---\n{kind: Network, metadata: {name: big, tenant: acme}, spec: {subnets: [{cidr: 10.0.0.0/8}]}}")
	changes := make([]Change, 100_000)
	for i := range changes {
		changes[i].Object = &Endpoint{Metadata: Metadata{Name: fmt.Sprintf("e%d", i), Tenant: "acme"}, Spec: EndpointSpec{Network: "big"}}
	}
	if _, err := s.Try(changes, testEnv); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		one := []Change{{Object: &Endpoint{Metadata: Metadata{Name: fmt.Sprintf("x%d", i), Tenant: "acme"}, Spec: EndpointSpec{Network: "big"}}}}
		d, err := s.Try(one, testEnv)
		if err != nil {
			b.Fatal(err)
		}
		d.Undo()
	}
}
