// Package ofctrl is the OpenFlow server: it keeps sessions with switches, and
// keeps each switch equal to its plan.
//
// A plan is a set of feeds. A feed is the compacted log of the entries (flows,
// groups, meters) of many owners; all switches that follow a feed get the same
// bytes. A session is a cursor on each of its feeds: it sends what comes after
// the cursor, make before break, and moves an acknowledged cursor when the
// switch confirms by barrier.
//
// It owns the sessions and the feeds' memory. It compares a switch with its plan
// after each connect and in a rolling audit, touches no entry that still holds,
// and repairs what is missing, foreign or changed. It never decides what a flow
// should be and knows nothing of tenants or hosts: only of datapath ids, feeds
// and owners' names.
//
// # A session
//
// One goroutine reads, and handles all replies in order; one writes. Changes wait
// in the feeds until the switch's window of batches has room, so that a slow
// switch costs no memory and delays nobody. Each batch ends with a barrier; a
// large one is a bundle, which the switch applies at once. When a bundle is
// refused, its messages are sent again one by one, so that only the bad ones are
// lost, and each error finds the owner of its entry by its transaction id.
//
// # Asking
//
// Others may ask a switch what its flows have counted. Few questions are open at a
// time; who asks more waits for a place. The reader keeps the parts of an answer
// up to a bound, and nobody but the one who asked waits for it.
//
// # Comparing
//
// A comparison asks the switch for all that it has, and looks at entries by ID
// and Sum only. After a connect nothing else is sent until it is complete. Later
// ones go on beside changes: what these concern is left out. They are done when
// the switch's flow monitor tells of a foreign change, and by the audit. A switch
// without a flow monitor is asked for its number of flows every two seconds
// instead; groups and meters are seen by the audit only.
package ofctrl
