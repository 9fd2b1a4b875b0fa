// Package sim simulates hosts: many in one process, each with an OVSDB and an
// OpenFlow connection of its own over TCP, and no datapath behind them.
//
// It is for benchmarks and fault tests that need more hosts than a machine can
// carry. What it says on the wire is what Open vSwitch 3.1 says, in as far as the
// controller asks for it; what a user would see on a host is for labs
// (integration/lab) to show, never for simulated hosts.
//
// A host owns its database and the tables of its switch. Both outlive the
// connections, as on a host whose controller restarts.
package sim
