// Package ovsdb keeps sessions with the OVSDB servers of hosts.
//
// It owns, on each host, the integration bridge, its VXLAN port, the patch ports
// to mapped bridges, what gateways need ([Links]) and the bridge's OpenFlow target:
// rows that carry external_ids:dovetail-owner. It creates and repairs those,
// idempotently, and touches no other row, but for the references to its own:
// Open_vSwitch.bridges and the ports of mapped bridges. It reports who a host is,
// which interfaces with an iface-id are on its integration bridge, and which gateway
// hosts its switch sees alive.
//
// It never speaks OpenFlow, never decides which endpoint an iface-id is, and
// keeps nothing of a host that has gone.
//
// # A session
//
// A connection, accepted by [Server.Serve] or made by [Server.Dial], asks for one
// "monitor" (RFC 7047 section 4.1.5) of the tables and columns that are needed,
// and keeps a typed copy of them. external_ids:system-id says whose it is. From
// then on the copy is compared with what is wished whenever it changes: the
// difference is one "transact" (wait, insert, update and mutate, with named
// UUIDs), and none at all if there is no difference. Besides those two the host
// is sent "echo".
//
// What a host can cost is bounded: bytes and nesting of a message, the time
// that it may take, rows and bytes of the copy, corrections and identity changes
// per second, sessions, and bytes of all sessions together.
//
// # What an operator sets
//
// In external_ids of the table Open_vSwitch: system-id, dovetail-encap-ip, and if
// wanted dovetail-bridge-mappings ("physnet:bridge,…"), dovetail-datapath-type and
// dovetail-underlay (the interface or bridge that carries the tunnels, to know
// its MTU).
package ovsdb
