package topology

import "net/netip"

// ExternalNetwork is a network outside: a physical network that hosts have a
// bridge to, and the IP subnets on it.
type ExternalNetwork struct {
	Metadata  Metadata                  `json:"metadata"`
	Spec      ExternalNetworkSpec       `json:"spec"`
	Allocated ExternalNetworkAllocation `json:"allocated"`
}

// ExternalNetworkSpec is what the user says of an external network.
type ExternalNetworkSpec struct {
	// PhysicalNetwork is its name in external_ids:dovetail-bridge-mappings of
	// the hosts that are connected to it.
	PhysicalNetwork string `json:"physicalNetwork"`
	// VLAN is the IEEE 802.1Q tag on that network, 1 to 4094; 0 means untagged.
	VLAN int `json:"vlan,omitempty"`
	// MTU is the largest IP packet in bytes; 0 means 1500.
	MTU     int              `json:"mtu,omitempty"`
	Subnets []ExternalSubnet `json:"subnets"`
	// BGP makes the controller announce there which routed networks are reached by
	// which address of a gateway (RFC 4271); nil announces nothing.
	BGP *BGP `json:"bgp,omitempty"`
}

// BGP is how the controller announces routes.
type BGP struct {
	// ASN is the autonomous system number of the controller.
	ASN uint32 `json:"asn"`
	// Peers are the routers that it dials, 1 to 16. A router is a peer of one
	// external network only, since the controller has one address.
	Peers []BGPPeer `json:"peers"`
}

// BGPPeer is a router that routes are announced to.
type BGPPeer struct {
	Address netip.Addr `json:"address"`
	// ASN is the autonomous system number of the peer.
	ASN uint32 `json:"asn"`
}

// ExternalSubnet is an IP prefix of an external network.
type ExternalSubnet struct {
	CIDR netip.Prefix `json:"cidr"`
	// NextHops are the routers to the rest of the world, the preferred one
	// first. Without any, only the subnet itself can be reached.
	NextHops []netip.Addr `json:"nextHops,omitempty"`
	// Pools are the addresses that the controller may give out. Others can
	// still be chosen.
	Pools []AddressRange `json:"pools,omitempty"`
}

// ExternalNetworkAllocation is what the store chose for an external network.
type ExternalNetworkAllocation struct {
	// ID is unique among external networks, never 0, and stable.
	ID  uint32 `json:"id"`
	MTU int    `json:"mtu"`
}

// Gateway joins routers to an external network, on a set of hosts. One of them
// at a time carries the traffic of a router, and another takes over when it dies.
type Gateway struct {
	Metadata  Metadata          `json:"metadata"`
	Spec      GatewaySpec       `json:"spec"`
	Allocated GatewayAllocation `json:"allocated"`
}

// GatewaySpec is what the user says of a gateway.
type GatewaySpec struct {
	// ExternalNetwork cannot change.
	ExternalNetwork string `json:"externalNetwork"`
	// Hosts are those that carry the gateway, in the order of preference. They
	// need a bridge mapping for the external network's physical network.
	Hosts []GatewayHost `json:"hosts"`
	// Addresses are the gateway's own in the external network, from which it
	// sends ICMP errors and to which the world routes what is not translated. Of
	// each IP version that is left out one is allocated from the pools, if there
	// are any; one for each host with a weight.
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// GatewayHost is one host of a gateway.
type GatewayHost struct {
	Name string `json:"name"`
	// Weight is this host's share of the routers, 0 to 100. If all are 0, the
	// first host carries everything as long as it lives; if some are not, each
	// of those carries its share, and those of weight 0 only stand by.
	Weight int `json:"weight,omitempty"`
}

// GatewayAllocation is what the store chose for a gateway.
type GatewayAllocation struct {
	// ID is unique among gateways, never 0, and stable.
	ID uint32 `json:"id"`
	// Lanes are the shares that the routers are divided into: one for each host
	// with a weight, in the order of the spec; a single one if there is none.
	Lanes []Lane `json:"lanes,omitempty"`
}

// Lane is the part of a gateway that is on one host at a time. It moves to
// another host as a whole, with its MAC and its addresses.
type Lane struct {
	// Host is where the lane is while that host lives. Whatever happens to other
	// hosts of the gateway, the lane keeps its MAC and, unless they are chosen anew,
	// its addresses.
	Host      string       `json:"host"`
	MAC       MAC          `json:"mac"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// RouterGateway connects a router to a gateway.
type RouterGateway struct {
	Name string `json:"name"`
	// Destinations are what is reached by this gateway; empty means everything
	// for which there is no better route.
	Destinations []netip.Prefix `json:"destinations,omitempty"`
	// Addresses are the external IPv4 addresses that take the place of inside
	// ones (source NAT), from which each endpoint always gets the same one; empty
	// lets the controller allocate one. IPv6 is never translated.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// RoutedNetworks are networks of the router whose own IPv4 addresses go out
	// untranslated. What is routed by gateways of one external network, IPv6 included,
	// does not overlap: outside, tenants are not told apart.
	RoutedNetworks []string `json:"routedNetworks,omitempty"`
	// ServicesOnly connects the router for the tenant's services at the gateway, and
	// for nothing else: nothing else leaves or enters by it.
	ServicesOnly bool `json:"servicesOnly,omitempty"`
}

// Attachment is what the store chose for a router at one gateway.
type Attachment struct {
	Gateway         string `json:"gateway"`
	ExternalNetwork string `json:"externalNetwork"`
	// VNI is that of the packets on their way to the gateway's host.
	VNI uint32 `json:"vni"`
	// Zone is the connection tracking zone, 1 to 65535, unique among all.
	Zone      uint32       `json:"zone"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// FloatingIP is an external address that stands for an endpoint, in both
// directions, or whose ports stand for ports of endpoints.
type FloatingIP struct {
	Metadata  Metadata             `json:"metadata"`
	Spec      FloatingIPSpec       `json:"spec"`
	Allocated FloatingIPAllocation `json:"allocated"`
}

// FloatingIPSpec is what the user says of a floating IP. Without an endpoint and
// without ports, the address is reserved.
type FloatingIPSpec struct {
	// Gateway is the one in whose external network the address is. The address
	// works while the router of the endpoint's network is connected to it, and not
	// for services only. It cannot change.
	Gateway string `json:"gateway"`
	// Address is chosen from the external network's subnets; unset lets the
	// controller allocate one from its pools.
	Address  netip.Addr `json:"address,omitzero"`
	Endpoint string     `json:"endpoint,omitempty"`
	// EndpointAddress is the endpoint's address meant; unset means its first of
	// the same IP version.
	EndpointAddress netip.Addr    `json:"endpointAddress,omitzero"`
	Ports           []PortForward `json:"ports,omitempty"`
	// Sources are the prefixes outside that may begin connections; empty means
	// everybody.
	Sources []netip.Prefix `json:"sources,omitempty"`
}

// PortForward is one port of a floating IP that stands for one of an endpoint. No
// other port of a floating IP at the same gateway stands for that one, since the
// translation keeps no state: replies are told apart by where they come from.
type PortForward struct {
	Protocol string `json:"protocol"` // "tcp" or "udp"
	Port     int    `json:"port"`
	Endpoint string `json:"endpoint"`
	// EndpointPort is 0 for the same port.
	EndpointPort int `json:"endpointPort,omitempty"`
}

// FloatingIPAllocation is what the store chose for a floating IP.
type FloatingIPAllocation struct {
	ExternalNetwork string     `json:"externalNetwork"`
	Address         netip.Addr `json:"address"`
}

// Service is a service outside, one of the data centre's own perhaps, that the
// networks of a tenant may reach: all those whose router is connected to its gateway.
type Service struct {
	Metadata  Metadata          `json:"metadata"`
	Spec      ServiceSpec       `json:"spec"`
	Allocated ServiceAllocation `json:"allocated"`
}

// ServiceSpec is what the user says of a service.
type ServiceSpec struct {
	// Gateway is the one by which the service is reached.
	Gateway string `json:"gateway"`
	// Address is that of the service outside, IPv4 or IPv6. It need not be in the
	// subnets of the external network.
	Address netip.Addr `json:"address"`
	// InsideAddress is the one by which endpoints reach the service; unset means
	// Address. Only an IPv4 service can have another: IPv6 is never translated.
	InsideAddress netip.Addr `json:"insideAddress,omitzero"`
	// Ports are what is reached, 1 to 64.
	Ports []ServicePort `json:"ports"`
}

// ServicePort is one port of a service.
type ServicePort struct {
	Protocol string `json:"protocol"` // "tcp" or "udp"
	Port     int    `json:"port"`
}

// ServiceAllocation is what the store chose for a service.
type ServiceAllocation struct {
	ExternalNetwork string `json:"externalNetwork"`
	// InsideAddress is the spec's, or its Address.
	InsideAddress netip.Addr `json:"insideAddress"`
}
