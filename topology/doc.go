// Package topology is the intent: what tenants want of their virtual networks,
// as plain values.
//
// It owns the resource types (tenant, network, router, endpoint, host, external
// network, gateway, floating IP, service, service function, chain) and the forms in which the API shows them and people
// write them (Resource, DecodeManifest), their validation, and the allocation of
// VNIs, IP addresses and MAC addresses. All of that is pure: no I/O, no
// clock, no randomness. The store that keeps the values in etcd is in
// topology/store.
//
// Validate looks at one object. State is all objects with their indexes, and
// State.Try says what a set of changes would lead to, or why it cannot be.
//
// It never knows about OpenFlow, OVSDB or HTTP, and never holds what the
// controller found out about the world, except the last known bindings of
// endpoints to hosts, which must survive a restart.
package topology
