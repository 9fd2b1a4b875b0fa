// Package pipeline has the flow tables, declared as data, and the compiler from
// intent to flows.
//
// It owns the numbering of tables, registers, meters and groups, the priorities, and
// what every flow and group looks like; and the packets that the controller and
// these flows exchange: tunnel probes, ICMP errors, why a packet is sent up. Its
// functions are pure: a fragment (all flows of one object in one role) depends only
// on the objects given.
//
// Fragments that several hosts share contain nothing that depends on who receives
// them: those of a routing domain (EndpointRemote, Network, Router, Inside, Exit), of
// a gateway (Gateway, AtGateway, FloatingIP), of an external network (External,
// Neighbour, OwnAddress). Those of one host (Base, EndpointLocal, NetworkLocal,
// ExternalLocal, GatewayHost, and FloatingIP on its endpoint's own host) win over
// shared ones by priority. Which host carries a gateway is not in flows but in groups,
// each host's own (GatewayGroups, HostGroups).
//
// It never sends anything, never reads a clock, and does not know which host
// needs which fragment.
package pipeline
