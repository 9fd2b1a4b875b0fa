package ofctrl

import (
	"context"
	"net"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/rs/zerolog"
)

// Feed is a log of the entries of many owners. Its methods are safe for
// concurrent use.
type Feed struct{}

// NewFeed makes an empty feed. The name appears in logs and errors.
func NewFeed(name string) *Feed { panic("ofctrl: to be written") }

// Set makes entries the whole of what owner has in the feed (none removes the
// owner), and returns the feed's sequence number after that. Entries that owner
// had already (same ID and Sum) are not sent again. Switches that follow the feed
// hear of it without further calls.
func (f *Feed) Set(owner string, entries []openflow.Entry) uint64 { panic("ofctrl: to be written") }

// Seq is the sequence number of the last change; 0 for a new feed.
func (f *Feed) Seq() uint64 { panic("ofctrl: to be written") }

// Handler hears what happens to switches. Calls for one switch come in order
// from one goroutine and must not block; they may call the Server.
type Handler interface {
	// Connected: the session is up and its dump is being compared.
	Connected(dpid uint64, remote net.Addr)
	// Disconnected: the session ended. A switch that reconnects is compared again.
	Disconnected(dpid uint64, err error)
	// Acked: an acknowledged cursor moved; see Server.Acked.
	Acked(dpid uint64)
	// Refused: the switch refused an entry of owner, as err (an
	// *openflow.ErrorMsg mostly) says. The rest of the feed goes on.
	Refused(dpid uint64, feed *Feed, owner string, err error)
	// PacketIn: the switch sent a packet. pkt is only valid during the call.
	PacketIn(dpid uint64, pkt openflow.PacketIn)
	// Drift: somebody else changed the switch, and it was repaired.
	Drift(dpid uint64, d Drift)
	// Rejected: a connection was refused (unknown or duplicate datapath id,
	// not OpenFlow, …).
	Rejected(remote net.Addr, err error)
}

// Drift is one difference found between a switch and its plan.
type Drift struct {
	Kind  DriftKind
	ID    openflow.ID
	Owner string // whose entry; empty for a foreign one
}

// DriftKind says how a switch differed from its plan.
type DriftKind string

// The kinds of drift.
const (
	DriftMissing DriftKind = "missing"
	DriftForeign DriftKind = "foreign"
	DriftChanged DriftKind = "changed"
)

// Config is what a Server needs. Zero durations and sizes mean the defaults.
type Config struct {
	Handler Handler
	Log     zerolog.Logger
	// EchoInterval is the idle time after which a switch is probed, and again
	// after which it is given up. Default 5 s.
	EchoInterval time.Duration
	// AuditInterval is how often each switch is compared with its plan. Default 60 s.
	AuditInterval time.Duration
	// GenerationID fences a stale controller (OpenFlow 1.3.5, 6.3.5).
	GenerationID uint64
}

// Server accepts switches. Its methods are safe for concurrent use.
type Server struct{}

// NewServer makes a server that knows no switch yet.
func NewServer(cfg Config) *Server { panic("ofctrl: to be written") }

// Serve accepts connections (TLS or TCP, as ln gives them) until ctx ends, then
// closes every session and waits for their goroutines.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error { panic("ofctrl: to be written") }

// SetPlan declares a switch and the feeds that it follows; it replaces the plan
// that the switch had. Entries of a feed that it no longer follows are removed
// from the switch. A switch without a plan is refused.
func (s *Server) SetPlan(dpid uint64, name string, feeds []*Feed) { panic("ofctrl: to be written") }

// Forget drops a switch's plan and closes its session.
func (s *Server) Forget(dpid uint64) { panic("ofctrl: to be written") }

// Acked returns the sequence number up to which the switch has confirmed the
// feed. ok is false while the switch is away, not yet compared, or not a follower.
func (s *Server) Acked(dpid uint64, f *Feed) (seq uint64, ok bool) { panic("ofctrl: to be written") }

// PacketOut hands a packet to a switch. It does not block: when the switch's
// queue of packets is full, or it is away, it fails.
func (s *Server) PacketOut(dpid uint64, inPort uint32, actions []openflow.Action, data []byte) error {
	panic("ofctrl: to be written")
}
