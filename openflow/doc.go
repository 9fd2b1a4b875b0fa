// Package openflow has flows, groups and meters as values, their text form and
// their wire form.
//
// The text form is exactly what ovs-ofctl prints and reads. The wire form is
// OpenFlow 1.3 with the Nicira and ONF extensions that Open vSwitch speaks, and
// is canonical: a switch that is asked for its flows answers with the same
// match and instruction bytes that were sent, so that flows are compared by
// their bytes.
//
// The package also builds and decodes the messages of a session. Decoders read
// bytes from the network: they never panic, keep the input only where they say
// so, and bound what they allocate by the input's size.
//
// It does no I/O, holds no state, and knows nothing of tenants or hosts.
package openflow
