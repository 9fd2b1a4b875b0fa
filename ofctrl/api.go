package ofctrl

import (
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/dovetail-sdn/dovetail/openflow"
)

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
	// *openflow.ErrorMsg mostly) says. The rest of the feed goes on. It comes
	// before the Acked that covers the entry, and once until the owner's entries
	// change or the switch connects again.
	Refused(dpid uint64, feed *Feed, owner string, err error)
	// PacketIn: the switch sent a packet. pkt is only valid during the call.
	PacketIn(dpid uint64, pkt openflow.PacketIn)
	// Drift: somebody else changed the switch, and it is being repaired: all that
	// one comparison found, at least one. What a switch had before this server
	// knew it is put right without a call.
	Drift(dpid uint64, found []Drift)
	// Rejected: a connection was refused (unknown or duplicate datapath id,
	// not OpenFlow, …). It is called from many goroutines, and not for every
	// connection when they are many.
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
	// Metrics is where the server registers its metrics; nil is nowhere. Two
	// servers cannot share one.
	Metrics prometheus.Registerer

	limits limits
}

func (cfg *Config) setDefaults() {
	if cfg.EchoInterval <= 0 {
		cfg.EchoInterval = 5 * time.Second
	}
	if cfg.AuditInterval <= 0 {
		cfg.AuditInterval = time.Minute
	}
	if cfg.limits == (limits{}) {
		cfg.limits = defaultLimits()
	}
}

// limits bound what a peer can take of our time and memory. Tests have lower ones.
type limits struct {
	handshake time.Duration // until it has said who it is
	probe     time.Duration // for a session that a newcomer wants to replace
	dump      time.Duration // to tell all that it has
	rows      int           // how many entries that may be
	strangers int           // connections that have not yet said who they are
}

func defaultLimits() limits {
	return limits{handshake: 10 * time.Second, probe: time.Second, dump: time.Minute, rows: 1 << 20, strangers: 1024}
}

// What Handler.Rejected and Handler.Disconnected are told, among other errors.
var (
	ErrUnknownSwitch = errors.New("no plan for this datapath id")
	ErrDuplicate     = errors.New("another switch with this datapath id is connected")
	ErrReplaced      = errors.New("the switch connected again, and did not answer in this session any more")
	ErrForgotten     = errors.New("the switch was forgotten")
	ErrNotMaster     = errors.New("another controller is master of the switch")
	ErrSilent        = errors.New("the switch does not answer")
	ErrNotConnected  = errors.New("the switch is not connected")
	ErrBusy          = errors.New("the switch's queue is full")
	errClosed        = errors.New("the server is closed")
)
