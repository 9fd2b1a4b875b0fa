// Package controller is the control loop that joins the others: it turns changes
// of the intent, and ports that hosts report, into fragments in feeds, and
// acknowledgements of switches into the status of objects.
//
// It owns which host follows which feeds, the bindings of endpoints to hosts,
// the realized status, the answers to packets that switches send up (ICMP
// errors, tunnel probes), and the stream of events. It never encodes a flow and
// never reads a socket.
package controller
