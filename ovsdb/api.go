package ovsdb

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"time"

	"github.com/rs/zerolog"
)

// BridgeName is the integration bridge's name on every host.
const BridgeName = "br-int"

// HostInfo is who a host says it is.
type HostInfo struct {
	SystemID       string // external_ids:system-id
	Hostname       string
	EncapIP        netip.Addr        // external_ids:dovetail-encap-ip; the zero Addr if not set or unusable
	BridgeMappings map[string]string // external_ids:dovetail-bridge-mappings, physical network to bridge
	DatapathType   string            // external_ids:dovetail-datapath-type, or "system"
	Version        string            // Open_vSwitch.ovs_version
	// UnderlayMTU is the MTU of the interface or bridge that
	// external_ids:dovetail-underlay names, else the smallest of the physical
	// interfaces on bridges other than br-int; 0 if unknown.
	UnderlayMTU int
	Remote      net.Addr
	Local       net.Addr // our end of the session, as the host reaches it
}

// Assignment is what the controller wants on a host.
type Assignment struct {
	DatapathID uint64
	// Controller is the bridge's OpenFlow target, "tcp:192.0.2.1:6653".
	Controller string
	// Links change during a session by Server.SetLinks.
	Links Links
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

// Handler hears what happens to hosts. Calls for one host come one at a time and
// in order: HostSeen, then any of the others, and HostGone as the last of a
// session. A call may take its time: it holds up its own host only.
type Handler interface {
	// HostSeen: a host connected and said who it is, or changed what it says. The
	// answer is provisioned. An error refuses the host and closes the session;
	// HostGone follows only if an earlier HostSeen of the session was answered.
	// ctx ends with the session.
	HostSeen(ctx context.Context, info HostInfo) (Assignment, error)
	// HostReady: the host's rows are as assigned, and its switch has built the
	// bridge and the VXLAN port.
	HostReady(host string)
	// HostLinks: the full list of the links that the switch has built and that
	// are still assigned, sorted by ID: once after the first HostReady of a
	// session, empty if there are none, and after each change. The slice is the
	// Handler's.
	HostLinks(host string, links []LinkState)
	// HostPorts: the full list of ports, sorted by name: once after HostSeen,
	// empty if there are none, and after each change. The slice is the
	// Handler's.
	HostPorts(host string, ports []Port)
	// HostRepaired: a row that the controller owns was missing or changed, and
	// was put right; what says which, in words. What is made or changed because
	// the assignment or the host's external_ids are new is no repair.
	HostRepaired(host, what string)
	// HostProblem: the host cannot be provisioned as it is (no encap-ip, ofport
	// taken, an error that its switch reports); problem says why and what to do.
	// Empty when it is solved; none outlives its session. A host can be ready and have a problem, such as
	// a mapped bridge that does not exist.
	HostProblem(host, problem string)
	// HostGone: the session ended.
	HostGone(host string, err error)
	// Rejected: a connection was refused or failed before it was known who it
	// is, or because another connection is that host. Calls come from many
	// goroutines.
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
	// MaxSessions bounds the sessions at one time, hosts that have not yet said
	// who they are included. Default 8192.
	MaxSessions int
}
