// Package controller is the control loop that joins the others: it turns changes
// of the intent, and ports that hosts report, into fragments in feeds, and
// acknowledgements of switches into the status of objects.
//
// It owns which host follows which feeds, the bindings of endpoints to hosts, where
// floating IPs are translated, which host carries a gateway as far as hosts say, what
// is known of neighbours outside, which routes are announced there, the realized
// status, the answers to packets that switches send up (ICMP errors, tunnel probes,
// neighbours, connections that nobody knows), and the stream of events.
//
// It never says what a flow looks like, never reads a socket, and never waits: what
// takes time (the store, BGP peers, switches) is done behind the loop's back.
package controller
