package ovsdb

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"github.com/rs/zerolog"
)

// TunnelOFPort is the OpenFlow port number of the VXLAN port on every host.
const TunnelOFPort = 1

// BridgeName is the integration bridge's name on every host.
const BridgeName = "br-int"

// HostInfo is who a host says it is.
type HostInfo struct {
	SystemID       string // external_ids:system-id
	Hostname       string
	EncapIP        netip.Addr // external_ids:dovetail-encap-ip
	BridgeMappings map[string]string
	DatapathType   string // external_ids:dovetail-datapath-type, or "system"
	Version        string // Open_vSwitch.ovs_version
	UnderlayMTU    int    // MTU of the interface that carries EncapIP; 0 if unknown
	Remote         net.Addr
}

// Assignment is what the controller wants on a host.
type Assignment struct {
	DatapathID uint64
	// Controller is the bridge's OpenFlow target, "tcp:192.0.2.1:6653".
	Controller string
}

// Port is one interface with an iface-id on the integration bridge.
type Port struct {
	Name        string
	InterfaceID string // external_ids:iface-id
	AttachedMAC string // external_ids:attached-mac; may be empty
	OFPort      uint32 // 0 while the switch has not given one
	LinkUp      bool
	Error       string // the Interface's error column
}

// Handler hears what happens to hosts. Calls for one host come in order from
// one goroutine.
type Handler interface {
	// HostSeen: a host connected and said who it is, or changed what it says. The
	// answer is provisioned. An error refuses the host and closes the session.
	HostSeen(ctx context.Context, info HostInfo) (Assignment, error)
	// HostReady: the host's rows are as assigned and its switch has built them.
	HostReady(host string)
	// HostPorts: the full list of ports, sorted by name, after each change.
	HostPorts(host string, ports []Port)
	// HostRepaired: a row that the controller owns was missing or changed, and
	// was put right; what says which, in words.
	HostRepaired(host, what string)
	// HostProblem: the host cannot be provisioned as it is (no encap-ip, ofport
	// taken, an error that its switch reports); problem says why and what to do.
	// Empty when it is solved.
	HostProblem(host, problem string)
	// HostGone: the session ended.
	HostGone(host string, err error)
	// Rejected: a connection was refused before it was known who it is.
	Rejected(remote net.Addr, err error)
}

// Config is what a Server needs. Zero durations mean the defaults.
type Config struct {
	Handler Handler
	Log     zerolog.Logger
	// EchoInterval is the idle time after which a host is probed, and again
	// after which it is given up. Default 5 s.
	EchoInterval time.Duration
	// TLS is used for "ssl:" addresses that are dialled.
	TLS *tls.Config
}

// Server keeps sessions with hosts. Its methods are safe for concurrent use.
type Server struct{}

// NewServer makes a server without sessions.
func NewServer(cfg Config) *Server { panic("ovsdb: to be written") }

// Serve accepts hosts that dial the controller until ctx ends, then closes every
// session and waits for their goroutines.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error { panic("ovsdb: to be written") }

// Dial keeps a session with a host that listens at "tcp:ADDRESS:PORT",
// "ssl:ADDRESS:PORT" or "unix:PATH" until ctx ends, reconnecting with back-off.
func (s *Server) Dial(ctx context.Context, target string) error { panic("ovsdb: to be written") }

// Kick closes the host's session, if there is one.
func (s *Server) Kick(host string, why error) { panic("ovsdb: to be written") }
