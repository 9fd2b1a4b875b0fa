// Package ovsdb keeps sessions with the OVSDB servers of hosts.
//
// It owns, on each host, the integration bridge, its VXLAN port, the patch ports
// to mapped bridges and the bridge's OpenFlow target: rows that carry
// external_ids:dovetail-owner. It creates and repairs those, idempotently, and
// touches no other row. It reports who a host is and which interfaces with an
// iface-id are on its integration bridge.
//
// It never speaks OpenFlow, never decides which endpoint an iface-id is, and
// keeps nothing of a host that has gone.
package ovsdb
