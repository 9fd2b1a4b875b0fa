package rest

import (
	"fmt"

	"github.com/dovetail-sdn/dovetail/topology"
)

// Tenant is a tenant as the API shows it.
type Tenant struct {
	Kind     topology.Kind       `json:"kind" enum:"Tenant"`
	Metadata topology.Metadata   `json:"metadata"`
	Spec     topology.TenantSpec `json:"spec"`
	Status   TenantStatus        `json:"status"`
}

// TenantStatus is what was found out about a tenant.
type TenantStatus struct{ topology.Status }

// Network is a network as the API shows it.
type Network struct {
	Kind     topology.Kind        `json:"kind" enum:"Network"`
	Metadata topology.Metadata    `json:"metadata"`
	Spec     topology.NetworkSpec `json:"spec"`
	Status   NetworkStatus        `json:"status"`
}

// NetworkStatus is what was found out about a network and allocated for it.
type NetworkStatus struct {
	topology.Status
	topology.NetworkAllocation
}

// Router is a router as the API shows it.
type Router struct {
	Kind     topology.Kind       `json:"kind" enum:"Router"`
	Metadata topology.Metadata   `json:"metadata"`
	Spec     topology.RouterSpec `json:"spec"`
	Status   RouterStatus        `json:"status"`
}

// RouterStatus is what was found out about a router and allocated for it.
type RouterStatus struct {
	topology.Status
	topology.RouterAllocation
}

// Endpoint is an endpoint as the API shows it.
type Endpoint struct {
	Kind     topology.Kind         `json:"kind" enum:"Endpoint"`
	Metadata topology.Metadata     `json:"metadata"`
	Spec     topology.EndpointSpec `json:"spec"`
	Status   EndpointStatus        `json:"status"`
}

// EndpointStatus is what was found out about an endpoint and allocated for it.
type EndpointStatus struct {
	topology.Status
	topology.EndpointAllocation
}

// Host is a host as the API shows it.
type Host struct {
	Kind     topology.Kind     `json:"kind" enum:"Host"`
	Metadata topology.Metadata `json:"metadata"`
	Spec     topology.HostSpec `json:"spec"`
	Status   HostStatus        `json:"status"`
}

// HostStatus is what was found out about a host and allocated for it.
type HostStatus struct {
	topology.Status
	topology.HostAllocation
	// DatapathID is in 16 hexadecimal digits, as Open vSwitch prints it: many
	// readers of JSON cannot keep a number of 64 bits.
	DatapathID string `json:"datapathID"`
}

// ExternalNetwork is an external network as the API shows it.
type ExternalNetwork struct {
	Kind     topology.Kind         `json:"kind" enum:"ExternalNetwork"`
	Metadata topology.Metadata     `json:"metadata"`
	Spec     topology.ExternalSpec `json:"spec"`
	Status   ExternalStatus        `json:"status"`
}

// ExternalStatus is what was found out about an external network and allocated
// for it.
type ExternalStatus struct {
	topology.Status
	topology.ExternalAllocation
}

// Gateway is a gateway as the API shows it.
type Gateway struct {
	Kind     topology.Kind        `json:"kind" enum:"Gateway"`
	Metadata topology.Metadata    `json:"metadata"`
	Spec     topology.GatewaySpec `json:"spec"`
	Status   GatewayStatus        `json:"status"`
}

// GatewayStatus is what was found out about a gateway and allocated for it.
type GatewayStatus struct {
	topology.Status
	topology.GatewayAllocation
}

// FloatingIP is a floating IP as the API shows it.
type FloatingIP struct {
	Kind     topology.Kind           `json:"kind" enum:"FloatingIP"`
	Metadata topology.Metadata       `json:"metadata"`
	Spec     topology.FloatingIPSpec `json:"spec"`
	Status   FloatingIPStatus        `json:"status"`
}

// FloatingIPStatus is what was found out about a floating IP and allocated for it.
type FloatingIPStatus struct {
	topology.Status
	topology.FloatingIPAllocation
}

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
	// spec points to the object's spec.
	spec func(topology.Object) any
	view func(topology.Object, topology.Status) *B
	// network says whether an object refers to a network, for ?network=; nil if
	// objects of the kind never do.
	network func(obj topology.Object, name string) bool
	fresh   func() topology.Object
	scoped  bool // belongs to a tenant
}

var tenants = kindDef[Tenant]{
	kind: topology.KindTenant, doc: "An owner of networks; addresses of different tenants may overlap.",
	fresh: func() topology.Object { return &topology.Tenant{} },
	spec:  func(o topology.Object) any { return &o.(*topology.Tenant).Spec },
	view: func(o topology.Object, st topology.Status) *Tenant {
		t := o.(*topology.Tenant)
		return &Tenant{topology.KindTenant, t.Metadata, t.Spec, TenantStatus{st}}
	},
}

var networks = kindDef[Network]{
	kind: topology.KindNetwork, scoped: true, doc: "A virtual layer-2 network.",
	fresh: func() topology.Object { return &topology.Network{} },
	spec:  func(o topology.Object) any { return &o.(*topology.Network).Spec },
	view: func(o topology.Object, st topology.Status) *Network {
		n := o.(*topology.Network)
		return &Network{topology.KindNetwork, n.Metadata, n.Spec, NetworkStatus{st, n.Allocated}}
	},
}

var routers = kindDef[Router]{
	kind: topology.KindRouter, scoped: true, doc: "Joins networks of one tenant; every host routes for its own endpoints.",
	fresh: func() topology.Object { return &topology.Router{} },
	spec:  func(o topology.Object) any { return &o.(*topology.Router).Spec },
	view: func(o topology.Object, st topology.Status) *Router {
		r := o.(*topology.Router)
		return &Router{topology.KindRouter, r.Metadata, r.Spec, RouterStatus{st, r.Allocated}}
	},
	network: func(o topology.Object, name string) bool {
		for _, n := range o.(*topology.Router).Spec.Networks {
			if n == name {
				return true
			}
		}
		return false
	},
}

var endpoints = kindDef[Endpoint]{
	kind: topology.KindEndpoint, scoped: true, doc: "The attachment of a container, a virtual machine or a server to a network.",
	fresh: func() topology.Object { return &topology.Endpoint{} },
	spec:  func(o topology.Object) any { return &o.(*topology.Endpoint).Spec },
	view: func(o topology.Object, st topology.Status) *Endpoint {
		e := o.(*topology.Endpoint)
		return &Endpoint{topology.KindEndpoint, e.Metadata, e.Spec, EndpointStatus{st, e.Allocated}}
	},
	network: func(o topology.Object, name string) bool { return o.(*topology.Endpoint).Spec.Network == name },
}

var hosts = kindDef[Host]{
	kind: topology.KindHost, doc: "An Open vSwitch host; its name is its system-id. Hosts that dial in register themselves.",
	fresh: func() topology.Object { return &topology.Host{} },
	spec:  func(o topology.Object) any { return &o.(*topology.Host).Spec },
	view: func(o topology.Object, st topology.Status) *Host {
		h := o.(*topology.Host)
		s := HostStatus{Status: st, HostAllocation: h.Allocated, DatapathID: fmt.Sprintf("%016x", h.Allocated.DatapathID)}
		return &Host{topology.KindHost, h.Metadata, h.Spec, s}
	},
}

var externals = kindDef[ExternalNetwork]{
	kind: topology.KindExternal, doc: "A network outside: a physical network that hosts have a bridge to, and the subnets on it.",
	fresh: func() topology.Object { return &topology.ExternalNetwork{} },
	spec:  func(o topology.Object) any { return &o.(*topology.ExternalNetwork).Spec },
	view: func(o topology.Object, st topology.Status) *ExternalNetwork {
		x := o.(*topology.ExternalNetwork)
		return &ExternalNetwork{topology.KindExternal, x.Metadata, x.Spec, ExternalStatus{st, x.Allocated}}
	},
}

var gateways = kindDef[Gateway]{
	kind: topology.KindGateway, doc: "Joins routers to an external network, on a set of hosts that stand in for each other.",
	fresh: func() topology.Object { return &topology.Gateway{} },
	spec:  func(o topology.Object) any { return &o.(*topology.Gateway).Spec },
	view: func(o topology.Object, st topology.Status) *Gateway {
		g := o.(*topology.Gateway)
		return &Gateway{topology.KindGateway, g.Metadata, g.Spec, GatewayStatus{st, g.Allocated}}
	},
}

var floatingIPs = kindDef[FloatingIP]{
	kind: topology.KindFloating, scoped: true, doc: "An external address that stands for an endpoint, or whose ports stand for ports of endpoints.",
	fresh: func() topology.Object { return &topology.FloatingIP{} },
	spec:  func(o topology.Object) any { return &o.(*topology.FloatingIP).Spec },
	view: func(o topology.Object, st topology.Status) *FloatingIP {
		f := o.(*topology.FloatingIP)
		return &FloatingIP{topology.KindFloating, f.Metadata, f.Spec, FloatingIPStatus{st, f.Allocated}}
	},
}
