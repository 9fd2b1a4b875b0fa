package topology

import (
	"net/netip"
	"time"
)

// Kind names a type of resource, in the singular, as it appears in a manifest.
type Kind string

// The kinds of resource.
const (
	KindTenant          Kind = "Tenant"
	KindNetwork         Kind = "Network"
	KindRouter          Kind = "Router"
	KindEndpoint        Kind = "Endpoint"
	KindHost            Kind = "Host"
	KindExternalNetwork Kind = "ExternalNetwork"
	KindGateway         Kind = "Gateway"
	KindFloatingIP      Kind = "FloatingIP"
	KindService         Kind = "Service"
	KindServiceFunction Kind = "ServiceFunction"
	KindChain           Kind = "Chain"
	// KindPipeline is no kind of resource: it stands for the flows that every host
	// has whatever its endpoints, where the owner of a flow is asked for.
	KindPipeline Kind = "Pipeline"
)

// Key identifies one object. Tenant is empty for what belongs to no tenant.
type Key struct {
	Kind   Kind   `json:"kind"`
	Tenant string `json:"tenant,omitempty"`
	Name   string `json:"name"`
}

// Metadata is what every object has. The client chooses Name, Tenant and
// Labels; the store sets the rest.
type Metadata struct {
	Name   string            `json:"name"`
	Tenant string            `json:"tenant,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// Revision changes with each write of the object; it is its ETag.
	Revision int64     `json:"revision,omitempty"`
	Created  time.Time `json:"created,omitzero"`
}

// Object is one resource: *Tenant, *Network, *Router, *Endpoint, *Host,
// *ExternalNetwork, *Gateway, *FloatingIP, *Service, *ServiceFunction or *Chain.
// Objects that the store hands out are shared and must not be changed; use
// Clone.
type Object interface {
	Key() Key
	Meta() *Metadata
	// Clone is a deep copy. What is empty in it is nil.
	Clone() Object
}

// Tenant is an owner of networks. Addresses of different tenants may overlap.
type Tenant struct {
	Metadata Metadata   `json:"metadata"`
	Spec     TenantSpec `json:"spec"`
}

// TenantSpec is what the user says of a tenant.
type TenantSpec struct {
	Description string `json:"description,omitempty"`
}

// Network is one virtual layer-2 network.
type Network struct {
	Metadata  Metadata          `json:"metadata"`
	Spec      NetworkSpec       `json:"spec"`
	Allocated NetworkAllocation `json:"allocated"`
}

// NetworkSpec is what the user says of a network.
type NetworkSpec struct {
	// VNI is the VXLAN network identifier, 1 to 12582911; 0 lets the
	// controller allocate one. It cannot change once it is allocated.
	VNI uint32 `json:"vni,omitempty"`
	// Subnets hold the addresses of the network's endpoints, IPv4 and IPv6.
	Subnets []Subnet `json:"subnets,omitempty"`
	// MTU is the largest IP packet of the network in bytes; 0 means 1450.
	MTU int `json:"mtu,omitempty"`
}

// Subnet is an IP prefix of a network and its gateway address.
type Subnet struct {
	CIDR netip.Prefix `json:"cidr"`
	// Gateway is the address at which routers of the network answer; unset
	// means the first host address of the prefix.
	Gateway netip.Addr `json:"gateway,omitzero"`
}

// NetworkAllocation is what the store chose for a network.
type NetworkAllocation struct {
	VNI uint32 `json:"vni"`
	// Subnets are those of the spec with every gateway filled in.
	Subnets []Subnet `json:"subnets,omitempty"`
	MTU     int      `json:"mtu"`
}

// Router joins networks of one tenant. It is distributed: every host routes
// for its own endpoints.
type Router struct {
	Metadata Metadata   `json:"metadata"`
	Spec     RouterSpec `json:"spec"`
	// Allocated.ID is unique among all routers, never 0, and stable.
	Allocated RouterAllocation `json:"allocated"`
}

// RouterSpec is what the user says of a router.
type RouterSpec struct {
	// Networks are the names of the networks joined. A network is joined to
	// at most one router, and subnets of one router do not overlap.
	Networks     []string      `json:"networks,omitempty"`
	StaticRoutes []StaticRoute `json:"staticRoutes,omitempty"`
	// Gateways connect the router to external networks.
	Gateways []RouterGateway `json:"gateways,omitempty"`
}

// StaticRoute sends packets for a prefix to an address in a joined network.
type StaticRoute struct {
	Destination netip.Prefix `json:"destination"`
	NextHop     netip.Addr   `json:"nextHop"`
}

// RouterAllocation is what the store chose for a router.
type RouterAllocation struct {
	ID uint32 `json:"id"`
	// Gateways are in the order of the spec's.
	Gateways []Attachment `json:"gateways,omitempty"`
}

// Endpoint is a logical attachment to a network: the interface of a container,
// a virtual machine, a bare-metal server or a service function.
type Endpoint struct {
	Metadata  Metadata           `json:"metadata"`
	Spec      EndpointSpec       `json:"spec"`
	Allocated EndpointAllocation `json:"allocated"`
}

// EndpointSpec is what the user says of an endpoint.
type EndpointSpec struct {
	Network string `json:"network"`
	// Addresses are chosen from the network's subnets; empty lets the
	// controller allocate one of each subnet's family.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// MAC is a unicast address; unset lets the controller derive one.
	MAC MAC `json:"mac,omitzero"`
	// AllowedAddresses may be used as source besides the endpoint's own.
	AllowedAddresses []AllowedAddress `json:"allowedAddresses,omitempty"`
	// InterfaceID is the iface-id in external_ids of the OVS Interface that
	// binds the endpoint; empty means "TENANT/NAME". Unique among all.
	InterfaceID string `json:"interfaceID,omitempty"`
}

// AllowedAddress lets an endpoint send from a prefix (a floating service
// address, say), optionally with another MAC than its own.
type AllowedAddress struct {
	Prefix netip.Prefix `json:"prefix"`
	MAC    MAC          `json:"mac,omitzero"`
}

// EndpointAllocation is what the store chose for an endpoint.
type EndpointAllocation struct {
	Addresses   []netip.Addr `json:"addresses,omitempty"`
	MAC         MAC          `json:"mac"`
	InterfaceID string       `json:"interfaceID"`
}

// Host is an OVS host. Hosts that dial in register themselves; a host with
// spec.address is dialled.
type Host struct {
	Metadata  Metadata       `json:"metadata"`
	Spec      HostSpec       `json:"spec"`
	Allocated HostAllocation `json:"allocated"`
}

// HostSpec is what the user says of a host. The host's name is its
// Open_vSwitch external_ids:system-id.
type HostSpec struct {
	// Address is "tcp:ADDRESS:PORT" or "ssl:ADDRESS:PORT" of a host that
	// listens for OVSDB; empty for a host that dials the controller.
	Address string `json:"address,omitempty"`
}

// HostAllocation is what the store chose for a host, and what the host said
// of itself when it was last seen.
type HostAllocation struct {
	// ID is unique among hosts, 1 to 10000, and stable. It numbers the ports of
	// tunnels to the hosts of gateways. A host that an earlier version stored has
	// none, 0, until it registers again or is put.
	ID uint32 `json:"id"`
	// DatapathID is the OpenFlow datapath id of the host's br-int.
	DatapathID uint64 `json:"datapathID"`
	// EncapIP is the address of the host's VTEP.
	EncapIP netip.Addr `json:"encapIP,omitzero"`
	// Hostname, BridgeMappings (physical network to bridge), DatapathType and
	// Version are as the host reported them.
	Hostname       string            `json:"hostname,omitempty"`
	BridgeMappings map[string]string `json:"bridgeMappings,omitempty"`
	DatapathType   string            `json:"datapathType,omitempty"`
	Version        string            `json:"version,omitempty"`
	// UnderlayMTU is the MTU of the interface that carries the VTEP; 0 if unknown.
	UnderlayMTU int `json:"underlayMTU,omitempty"`
}

// Binding is the last known place of an endpoint: a port on a host.
type Binding struct {
	Endpoint Key    `json:"endpoint"` // Kind is KindEndpoint
	Host     string `json:"host"`
	// Port is the OVS port's name, OFPort its OpenFlow number.
	Port   string `json:"port"`
	OFPort uint32 `json:"ofport"`
	// MAC is the port's external_ids:attached-mac where that stands in for the
	// endpoint's: it says so, and the endpoint's MAC was not chosen by its spec.
	MAC   MAC       `json:"mac,omitzero"`
	Since time.Time `json:"since"`
}

// Phase says how far an object has come into the switches.
type Phase string

// The phases of an object.
const (
	// PhasePending: some switch has not acknowledged yet, or the object is not bound.
	PhasePending Phase = "pending"
	// PhaseRealized: every switch concerned has acknowledged.
	PhaseRealized Phase = "realized"
	// PhaseFailed: a switch refused, or the object cannot work as it is.
	PhaseFailed Phase = "failed"
)

// Status is what the controller found out about an object.
type Status struct {
	Phase Phase `json:"phase"`
	// Since is when the phase was reached.
	Since time.Time `json:"since,omitzero"`
	// Reason says in one sentence why the object is pending or failed, and
	// what to do about it.
	Reason string `json:"reason,omitempty"`
	// Hosts are the hosts concerned, sorted by name.
	Hosts []HostPart `json:"hosts,omitempty"`
	// Warnings are true of an object in any phase ("MTU 1500 does not fit…").
	Warnings []string `json:"warnings,omitempty"`
	// Binding is the endpoint's place; nil for other kinds or while unbound.
	Binding *Binding `json:"binding,omitempty"`
	// Connected says, of a Host only, which sessions are up: "ovsdb", "openflow".
	Connected []string `json:"connected,omitempty"`
	// Lanes says, of a Gateway only, which host carries each lane, in the order of
	// the allocation's.
	Lanes []LaneStatus `json:"lanes,omitempty"`
	// Peers says, of an ExternalNetwork only, how its BGP sessions are, in the order
	// of the spec's.
	Peers []PeerStatus `json:"peers,omitempty"`
	// Instances says, of a ServiceFunction only, how its instances are, in the order of
	// the spec's.
	Instances []InstanceStatus `json:"instances,omitempty"`
	// Hops says, of a Chain only, how its functions fare, in the order of the spec's.
	Hops []HopStatus `json:"hops,omitempty"`
	// Entered is, of a Chain only, what has begun its way through it. It is nil where
	// switches were not asked, or none has answered.
	Entered *Counters `json:"entered,omitempty"`
}

// LaneStatus says where a lane of a gateway is now.
type LaneStatus struct {
	// Host is the lane's own: where it is while that host lives.
	Host string `json:"host"`
	// Active is the host that carries the lane; empty if none does.
	Active string `json:"active,omitempty"`
}

// PeerStatus is the state of the BGP session with a peer of an external network.
type PeerStatus struct {
	Address     netip.Addr `json:"address"`
	Established bool       `json:"established"`
	// Since is when the session came up or went down; zero if it never was up.
	Since time.Time `json:"since,omitzero"`
	// Announced is how many prefixes are announced to the peer.
	Announced int `json:"announced"`
	// Error is why the session is not established, as far as it is known.
	Error string `json:"error,omitempty"`
}

// HostPart is one host's part in the realization of an object.
type HostPart struct {
	Name string `json:"name"`
	// Acknowledged: the switch has confirmed everything sent for the object.
	Acknowledged bool `json:"acknowledged"`
	// Error is the switch's own refusal in words, or why the host is away.
	Error string `json:"error,omitempty"`
}
