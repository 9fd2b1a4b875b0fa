// Package bgp announces routes to routers: which prefixes are reached by which
// next hop, over BGP-4 (RFC 4271).
//
// It owns the sessions with the peers of one external network. It only talks: what
// peers announce is skipped as it arrives, nothing of it is decoded or kept. It
// dials and never listens, it chooses no routes, and it imports nothing of ours.
//
// # What is announced
//
// IPv4 and IPv6 unicast over one session, whatever the family of the peer's address.
// The next hop is always the one of the [Route], towards every peer. To a peer that
// takes additional paths (ADD-PATH, RFC 7911) all next hops of a prefix are
// announced, each under an identifier that depends on the prefix's next hops only
// and so is the same after a restart; to others the lowest. Only differences are
// sent, and new paths before old ones are withdrawn.
//
// # Restarts
//
// A controller that ends, however it ends, takes no packets with it: hosts go on
// forwarding. So peers shall keep the routes. The speaker tells them so by graceful
// restart (RFC 4724), long-lived where they have it (RFC 9494), and with notifications
// (RFC 8538); it says in each session that forwarding went on; and
// [Speaker.Close] closes connections without a word, which peers take as a restart.
// Only a peer that [Speaker.Apply] removes is told to forget the routes (Cease).
//
// After a restart a peer drops the kept routes that have not come again when it
// hears End-of-RIB, which is sent right after all routes. No session is therefore
// dialled before the first [Speaker.Announce], and the first must be complete:
//
//	s := bgp.New(log)
//	s.Apply(ctx, cfg)      // nothing is dialled yet
//	s.Announce(ctx, all)   // once all that is to be announced is known
//
// The order of the two does not matter, and an Announce of no routes is one too. A
// controller that does not know its routes yet must wait: peers wait for restartTime
// and, depreferring the routes, for longLivedTime.
//
// # What a peer can cost
//
// One session and a fixed buffer. A message is at most 4096 bytes, and bytes are read
// at a bounded rate; all of a message must come within the hold time, and be taken
// within it; a peer that asks for all routes again (RFC 2918) gets them at the next
// keepalive. Peers do not slow each other down.
package bgp
