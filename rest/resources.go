package rest

import (
	"fmt"

	"github.com/dovetail-sdn/dovetail/topology"
)

// List is one page of objects.
type List[B any] struct {
	Kind  string `json:"kind" doc:"The kind of the items and \"List\"" example:"EndpointList"`
	Items []*B   `json:"items" nullable:"false" doc:"Sorted by tenant and name"`
	// Continue is set if there is more.
	Continue string `json:"continue,omitempty" doc:"Give it as ?continue= for the next page; absent on the last"`
}

// kindDef is all that the API has to know about one kind of resource. B is how
// the kind is shown.
type kindDef[B any] struct {
	kind topology.Kind
	doc  string
	view func(topology.Object, topology.Status) *B
}

// define makes the definition of a kind whose objects are O and whose spec is S, from
// its description and what makes its status.
func define[O topology.Object, S, T any](kind topology.Kind, doc string, status func(O, topology.Status) T) kindDef[topology.Resource[S, T]] {
	return kindDef[topology.Resource[S, T]]{kind: kind, doc: doc, view: func(o topology.Object, st topology.Status) *topology.Resource[S, T] {
		return &topology.Resource[S, T]{Kind: kind, Metadata: *o.Meta(), Spec: *topology.SpecOf(o).(*S), Status: status(o.(O), st)}
	}}
}

// The kinds, as the API shows them.
var (
	tenants = define[*topology.Tenant, topology.TenantSpec](topology.KindTenant,
		"An owner of networks; addresses of different tenants may overlap.",
		func(_ *topology.Tenant, st topology.Status) topology.TenantStatus {
			return topology.TenantStatus{Status: st}
		})
	networks = define[*topology.Network, topology.NetworkSpec](topology.KindNetwork,
		"A virtual layer-2 network.",
		func(n *topology.Network, st topology.Status) topology.NetworkStatus {
			return topology.NetworkStatus{Status: st, NetworkAllocation: n.Allocated}
		})
	routers = define[*topology.Router, topology.RouterSpec](topology.KindRouter,
		"Joins networks of one tenant; every host routes for its own endpoints.",
		func(r *topology.Router, st topology.Status) topology.RouterStatus {
			return topology.RouterStatus{Status: st, RouterAllocation: r.Allocated}
		})
	endpoints = define[*topology.Endpoint, topology.EndpointSpec](topology.KindEndpoint,
		"The attachment of a container, a virtual machine or a server to a network.",
		func(e *topology.Endpoint, st topology.Status) topology.EndpointStatus {
			return topology.EndpointStatus{Status: st, EndpointAllocation: e.Allocated}
		})
	hosts = define[*topology.Host, topology.HostSpec](topology.KindHost,
		"An Open vSwitch host; its name is its system-id. Hosts that dial in register themselves.",
		func(h *topology.Host, st topology.Status) topology.HostStatus {
			return topology.HostStatus{Status: st, HostAllocation: h.Allocated, DatapathID: fmt.Sprintf("%016x", h.Allocated.DatapathID)}
		})
	externalNetworks = define[*topology.ExternalNetwork, topology.ExternalNetworkSpec](topology.KindExternalNetwork,
		"A network outside: a physical network that hosts have a bridge to, and the subnets on it.",
		func(x *topology.ExternalNetwork, st topology.Status) topology.ExternalNetworkStatus {
			return topology.ExternalNetworkStatus{Status: st, ExternalNetworkAllocation: x.Allocated}
		})
	gateways = define[*topology.Gateway, topology.GatewaySpec](topology.KindGateway,
		"Joins routers to an external network, on a set of hosts that stand in for each other.",
		func(g *topology.Gateway, st topology.Status) topology.GatewayStatus {
			return topology.GatewayStatus{Status: st, ID: g.Allocated.ID, Lanes: topology.Lanes(g.Allocated.Lanes, st.Lanes)}
		})
	floatingIPs = define[*topology.FloatingIP, topology.FloatingIPSpec](topology.KindFloatingIP,
		"An external address that stands for an endpoint, or whose ports stand for ports of endpoints.",
		func(f *topology.FloatingIP, st topology.Status) topology.FloatingIPStatus {
			return topology.FloatingIPStatus{Status: st, FloatingIPAllocation: f.Allocated}
		})
	services = define[*topology.Service, topology.ServiceSpec](topology.KindService,
		"A service outside that the networks of a tenant may reach by a gateway.",
		func(v *topology.Service, st topology.Status) topology.ServiceStatus {
			return topology.ServiceStatus{Status: st, ServiceAllocation: v.Allocated}
		})
	functions = define[*topology.ServiceFunction, topology.ServiceFunctionSpec](topology.KindServiceFunction,
		"A network service that chains lead traffic through, such as a firewall or a load balancer: instances that share the load.",
		func(f *topology.ServiceFunction, st topology.Status) topology.ServiceFunctionStatus {
			st.Instances = topology.InstancesNow(f, st.Instances)
			return topology.ServiceFunctionStatus{Status: st, ID: f.Allocated.ID}
		})
	chains = define[*topology.Chain, topology.ChainSpec](topology.KindChain,
		"Leads what goes between two sides of a router through service functions, answers in reverse order.",
		func(c *topology.Chain, st topology.Status) topology.ChainStatus {
			st.Hops = topology.HopsNow(c.Allocated.Hops, st.Hops)
			return topology.ChainStatus{Status: st, ID: c.Allocated.ID, Zone: c.Allocated.Zone, Generation: c.Allocated.Generation, Priority: c.Allocated.Priority}
		})
)
