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
package ofctrl
