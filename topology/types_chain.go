package topology

import "net/netip"

// ServiceFunction is a network service that chains lead traffic through, such as a
// firewall or a load balancer: a group of instances that share the load.
type ServiceFunction struct {
	Metadata  Metadata                  `json:"metadata"`
	Spec      ServiceFunctionSpec       `json:"spec"`
	Allocated ServiceFunctionAllocation `json:"allocated"`
}

// FunctionType says what a service function does to packets, and so how it gets them.
type FunctionType string

// The types of service function.
const (
	// FunctionTransparent is a bump in the wire: it gets frames as they were sent, and
	// gives them back.
	FunctionTransparent FunctionType = "transparent"
	// FunctionRouted gets packets at its own MAC, and routes them on.
	FunctionRouted FunctionType = "routed"
	// FunctionRewriting gets packets at its own MAC and sends others: a load balancer, NAT.
	FunctionRewriting FunctionType = "rewriting"
	// FunctionTap gets copies. What it sends is not the chain's.
	FunctionTap FunctionType = "tap"
)

// FailMode says what happens to packets that the instance of their connection cannot take.
type FailMode string

// The fail modes.
const (
	// FailReroute moves the connections of a failed instance to others; what none can take
	// fares as LastResort says.
	FailReroute FailMode = "reroute"
	// FailClosed drops packets, which are counted.
	FailClosed FailMode = "closed"
	// FailOpen has packets skip the function.
	FailOpen FailMode = "open"
)

// ServiceFunctionSpec is what the user says of a service function.
type ServiceFunctionSpec struct {
	Type      FunctionType `json:"type"`
	Instances []Instance   `json:"instances,omitempty"`
	// FailMode is "reroute" if it is left out; LastResort, with that one only, is
	// FailClosed if it is left out, or FailOpen. A tap has neither.
	FailMode   FailMode `json:"failMode,omitempty"`
	LastResort FailMode `json:"lastResort,omitempty"`
	// PreferLocal has a host send new connections to its own instances while they live.
	PreferLocal bool `json:"preferLocal,omitempty"`
	// Tagged has packets carry an IEEE 802.1Q tag that says which chain they are in, to
	// an instance and back. It can be left out where the chains of a function have one
	// router, and, if it rewrites, where there is one chain.
	Tagged bool `json:"tagged,omitempty"`
	// Probe asks instances whether they work; nil goes by links and hosts alone. A tap has
	// none.
	Probe *Probe `json:"probe,omitempty"`
	// SharedWith are the tenants besides its own whose chains may use it. They need not
	// exist yet.
	SharedWith []string `json:"sharedWith,omitempty"`
}

// Instance is one instance of a service function: one endpoint of the function's tenant, or a
// pair between which packets pass.
type Instance struct {
	// In is where packets come that go from the sources of a chain to its destinations.
	In string `json:"in"`
	// Out is where they come back out, and where answers go in; left out, that is In.
	Out string `json:"out,omitempty"`
	// Weight is its share of new connections, 1 to 100; 0 means 1.
	Weight int `json:"weight,omitempty"`
	// Drain has it take no new connections.
	Drain bool `json:"drain,omitempty"`
}

// ProbeProtocol says how an instance is asked whether it works.
type ProbeProtocol string

// The protocols of probes.
const (
	// ProbeARP asks for the MAC of an address of the instance; through a transparent
	// one, an ARP request has to come out at the other side.
	ProbeARP ProbeProtocol = "arp"
	// ProbeICMP is an echo request to an address of the instance, or through a transparent one.
	ProbeICMP ProbeProtocol = "icmp"
	// ProbeTCP opens a connection to a port of the instance. Not for transparent ones.
	ProbeTCP ProbeProtocol = "tcp"
)

// Probe says how instances are asked whether they work.
type Probe struct {
	Protocol ProbeProtocol `json:"protocol"`
	Port     int           `json:"port,omitempty"` // of ProbeTCP
	// IntervalMillis is the time between two questions, 100 to 60000; 0 means 1000.
	IntervalMillis int `json:"intervalMillis,omitempty"`
	// Failures is how many questions in a row must stay without an answer for the instance to
	// be taken for dead, 1 to 10; 0 means 3. One answer brings it back.
	Failures int `json:"failures,omitempty"`
}

// ServiceFunctionAllocation is what the store chose for a service function.
type ServiceFunctionAllocation struct {
	// ID is unique among service functions, 1 to 65000, and stable.
	ID uint32 `json:"id"`
	// Instances are in the order of the spec's.
	Instances []InstanceAllocation `json:"instances,omitempty"`
}

// InstanceAllocation is what the store chose for an instance.
type InstanceAllocation struct {
	In string `json:"in"`
	// Number is unique in the function, 1 to 31; the instance with the same In keeps it.
	Number int `json:"number"`
}

// Chain leads what goes between two sides of a router through service functions, answers
// in reverse order.
type Chain struct {
	Metadata  Metadata        `json:"metadata"`
	Spec      ChainSpec       `json:"spec"`
	Allocated ChainAllocation `json:"allocated"`
}

// ChainSpec is what the user says of a chain.
type ChainSpec struct {
	// Router is the router between and in whose networks packets are led through the
	// chain. It cannot change.
	Router string `json:"router"`
	// Functions are service functions in the order in which packets from the sources pass
	// them, 1 to 7: "NAME", or "TENANT/NAME" for one of another tenant that shares it.
	Functions []string `json:"functions"`
	// Sources and Destinations are the two sides: what fits any of the selectors. None at all is
	// every endpoint of the router's networks for Sources, and everything for Destinations.
	Sources      []Side `json:"sources,omitempty"`
	Destinations []Side `json:"destinations,omitempty"`
	// Protocol is "tcp", "udp" or "icmp", of either IP version; empty means any.
	Protocol string `json:"protocol,omitempty"`
	// Ports are those of the destinations, of "tcp" and "udp" only; none means all.
	Ports []PortRange `json:"ports,omitempty"`
	// Priority decides where several chains fit: the highest wins. 1 to 10000, each one
	// once among the chains of a router; 0 has one allocated, below those that are there.
	Priority int `json:"priority,omitempty"`
}

// Side selects by exactly one of its fields.
type Side struct {
	// Network is a network of the router.
	Network string `json:"network,omitempty"`
	// Labels selects the endpoints of the router's networks that have all of them.
	Labels map[string]string `json:"labels,omitempty"`
	CIDR   netip.Prefix      `json:"cidr,omitzero"`
	// External is everything that the router reaches by gateways.
	External bool `json:"external,omitempty"`
}

// ChainAllocation is what the store chose for a chain.
type ChainAllocation struct {
	// ID is unique among chains, 1 to 4094, and stable. It is part of the VNIs of the
	// chain's positions.
	ID uint32 `json:"id"`
	// Zone is the conntrack zone that remembers its connections, unique among all zones.
	Zone uint32 `json:"zone"`
	// Generation rises each time that the chain has other functions, or has them in
	// another order: so hosts tell the way that packets go from the one before.
	Generation uint32 `json:"generation"`
	Priority   int    `json:"priority"`
	// Hops are in the order of the spec's functions.
	Hops []HopAllocation `json:"hops,omitempty"`
}

// HopAllocation is what the store chose for a function in a chain.
type HopAllocation struct {
	// Function is the function's key, spelled out.
	Function string `json:"function"` // TENANT/NAME
	// Slot is the function's in the chain, 1 to 15, wherever in the chain it is: there
	// connections are remembered.
	Slot int `json:"slot"`
	// VLAN is the chain's tag at the function, 1 to 4094, unique there and stable. There is
	// one whether the function is tagged or not, so that it can become so later. Tag says
	// which one packets have.
	VLAN int `json:"vlan,omitempty"`
}
