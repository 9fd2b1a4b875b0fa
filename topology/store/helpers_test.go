package store

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func embedded(t testing.TB) *Embedded {
	t.Helper()
	e, err := OpenEmbedded(testContext(t), EmbedConfig{Dir: t.TempDir(), Log: zerolog.Nop(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func open(t testing.TB, cli *clientv3.Client) *Store {
	t.Helper()
	s, err := Open(testContext(t), cli, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newStore(t testing.TB) *Store { return open(t, embedded(t).Client()) }

func tenant(name string) *topology.Tenant {
	return &topology.Tenant{Metadata: topology.Metadata{Name: name}}
}

func network(tenant, name string, cidrs ...string) *topology.Network {
	n := &topology.Network{Metadata: topology.Metadata{Name: name, Tenant: tenant}}
	for _, c := range cidrs {
		n.Spec.Subnets = append(n.Spec.Subnets, topology.Subnet{CIDR: netip.MustParsePrefix(c)})
	}
	return n
}

func router(tenant, name string, networks ...string) *topology.Router {
	return &topology.Router{Metadata: topology.Metadata{Name: name, Tenant: tenant}, Spec: topology.RouterSpec{Networks: networks}}
}

func endpoint(tenant, name, network string, addrs ...string) *topology.Endpoint {
	e := &topology.Endpoint{Metadata: topology.Metadata{Name: name, Tenant: tenant}, Spec: topology.EndpointSpec{Network: network}}
	for _, a := range addrs {
		e.Spec.Addresses = append(e.Spec.Addresses, netip.MustParseAddr(a))
	}
	return e
}

func external(name string) *topology.ExternalNetwork {
	p := netip.MustParsePrefix("192.0.2.0/24")
	return &topology.ExternalNetwork{Metadata: topology.Metadata{Name: name}, Spec: topology.ExternalNetworkSpec{
		PhysicalNetwork: "physnet1",
		Subnets:         []topology.ExternalSubnet{{CIDR: p, Pools: []topology.AddressRange{{First: p.Addr(), Last: netip.MustParseAddr("192.0.2.255")}}}},
	}}
}

// gateway is one to the external network "internet".
func gateway(name string) *topology.Gateway {
	return &topology.Gateway{Metadata: topology.Metadata{Name: name}, Spec: topology.GatewaySpec{
		ExternalNetwork: "internet", Hosts: []topology.GatewayHost{{Name: "h1"}},
	}}
}

// floating is a floating IP at the gateway "edge".
func floating(tenant, name, address string) *topology.FloatingIP {
	f := &topology.FloatingIP{Metadata: topology.Metadata{Name: name, Tenant: tenant}, Spec: topology.FloatingIPSpec{Gateway: "edge"}}
	if address != "" {
		f.Spec.Address = netip.MustParseAddr(address)
	}
	return f
}

// service is a service at the gateway "edge", reached by an inside address.
func service(tenant, name, inside string) *topology.Service {
	return &topology.Service{Metadata: topology.Metadata{Name: name, Tenant: tenant}, Spec: topology.ServiceSpec{
		Gateway: "edge", Address: netip.MustParseAddr("203.0.113.53"), InsideAddress: netip.MustParseAddr(inside),
		Ports: []topology.ServicePort{{Protocol: "udp", Port: 53}},
	}}
}

// function is a service function of no instances, routed and tagged, that is shared.
func function(tenant, name string, sharedWith ...string) *topology.ServiceFunction {
	return &topology.ServiceFunction{Metadata: topology.Metadata{Name: name, Tenant: tenant}, Spec: topology.ServiceFunctionSpec{
		Type: topology.FunctionRouted, Tagged: true, SharedWith: sharedWith,
	}}
}

// instance is a function of one instance.
func instance(tenant, name, endpoint string) *topology.ServiceFunction {
	f := function(tenant, name)
	f.Spec.Instances = []topology.Instance{{In: endpoint}}
	return f
}

// untagged is a function without tags.
func untagged(f *topology.ServiceFunction) *topology.ServiceFunction {
	f.Spec.Tagged = false
	return f
}

func chain(tenant, name, router string, functions ...string) *topology.Chain {
	return &topology.Chain{Metadata: topology.Metadata{Name: name, Tenant: tenant}, Spec: topology.ChainSpec{Router: router, Functions: functions}}
}

func puts(objects ...topology.Object) []Change {
	var list []Change
	for _, o := range objects {
		list = append(list, Change{Op: OpPut, Key: o.Key(), Object: o})
	}
	return list
}

func deletes(keys ...topology.Key) []Change {
	var list []Change
	for _, k := range keys {
		list = append(list, Change{Op: OpDelete, Key: k})
	}
	return list
}

func apply(t testing.TB, s *Store, changes []Change) []topology.Object {
	t.Helper()
	objects, err := s.Apply(testContext(t), changes)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// cmpOptions compare addresses by value.
var cmpOptions = []cmp.Option{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// contextWithShortTimeout is for what must give up by itself.
func contextWithShortTimeout(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), 300*time.Millisecond)
}
