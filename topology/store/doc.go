// Package store keeps the intent in etcd, and gives it back as a stream of
// changes in commit order.
//
// It owns the key layout, the transactions that make every write atomic and
// every uniqueness hold under concurrent writers, and an in-memory copy that
// follows etcd by watch. It starts the embedded etcd when no cluster is given.
//
// A write is validated as a whole against the state it was based on, and
// committed only if no object of the tenants concerned has changed since (each
// tenant has a guard key that every write to it touches); else it is validated
// again on the newer state. So an invariant over many objects of a tenant, such
// as subnets of one router that must not overlap, needs no index of its own.
// What is unique across tenants (VNI, interface id, router id, datapath id) has
// index keys. A refusal also counts only if the state it was based on was the
// newest, so that what one controller accepted, the next one knows of.
//
// Writes that come in while a transaction is on its way are merged into the next
// one; each still succeeds or fails by itself. The copy in memory changes only by
// what the watch reports, own writes included: so there is one order of commits,
// and every reader sees it.
//
// It never changes an object on its own and knows nothing of switches.
package store
