package bgp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// maxPassword is TCP_MD5SIG_MAXKEYLEN of tcp(7).
const maxPassword = 80

var errClosed = errors.New("the BGP speaker is closed")

// Config is who the speaker is and whom it talks to.
type Config struct {
	ASN      uint32     // ours; peers with the same are internal (iBGP)
	RouterID netip.Addr // IPv4; identifies the speaker among its peers
	Peers    []Peer     // in any order, each address once
}

// Peer is a router that is dialled.
type Peer struct {
	Address  netip.Addr
	Port     uint16 // 0 is 179
	ASN      uint32 // must be what the peer says
	Password string // TCP MD5 signatures (RFC 2385) if not empty; at most 80 bytes
}

// Route is a prefix and the address that reaches it. Several routes of one prefix
// with different next hops are several paths.
type Route struct {
	Prefix  netip.Prefix // without host bits
	NextHop netip.Addr   // unicast, of the prefix's family
}

// PeerState is how the session with a peer is.
type PeerState struct {
	Address     netip.Addr
	Established time.Time // since when the session is up; zero if it is not
	LastError   string    // why the last session or attempt ended, also once another is up
	Prefixes    int       // that have been written to the peer in this session
}

// limits are bounds in time. Tests make them small.
type limits struct {
	hold      time.Duration // offered; whole seconds
	open      time.Duration // from the connection to the established session
	linger    time.Duration // for a Cease to be taken
	retryMin  time.Duration
	retryMax  time.Duration
	restart   time.Duration // that peers keep routes for; at most 4095 seconds
	longLived time.Duration // after that, as a last resort; at most 2^24-1 seconds
}

const (
	restartTime   = 240 * time.Second
	longLivedTime = 24 * time.Hour
)

func defaultLimits() limits {
	return limits{
		hold: 9 * time.Second, open: 10 * time.Second, linger: time.Second,
		retryMin: time.Second, retryMax: 5 * time.Second,
		restart: restartTime, longLived: longLivedTime,
	}
}

// Speaker announces routes to the peers of one external network. Its methods are
// safe for concurrent use.
type Speaker struct {
	log    zerolog.Logger
	limits limits

	// applying is held while the set of peers is changed.
	applying sync.Mutex
	running  sync.WaitGroup // of peers, also those that are gone and still end

	mu     sync.Mutex
	closed bool
	peers  map[netip.Addr]*peer
	rib    *rib          // what is to be announced; immutable
	known  chan struct{} // closed by the first Announce
}

// New makes a speaker without peers and routes. It must be closed.
func New(log zerolog.Logger) *Speaker {
	return &Speaker{
		log: log, limits: defaultLimits(), peers: make(map[netip.Addr]*peer),
		rib: &rib{}, known: make(chan struct{}),
	}
}

// Apply makes the peers those of cfg. Sessions with peers that are the same stay, if
// the speaker's ASN and router ID are the same too. A peer that is gone gets a
// Cease and drops the routes. One that has changed is dialled anew, and keeps the
// routes meanwhile as after a restart.
//
// Apply does not wait for sessions to come up, but for removed ones to end. If ctx
// ends first they still end, and the configuration is applied. A configuration that
// makes no sense is refused as a whole.
func (s *Speaker) Apply(ctx context.Context, cfg Config) error {
	want, err := sessionsOf(cfg)
	if err != nil {
		return fmt.Errorf("BGP configuration: %w", err)
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	removed, err := s.replacePeers(want)
	if err != nil {
		return err
	}
	for _, p := range removed {
		select {
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the BGP session with %s to end: %w", p.cfg.peer.Address, ctx.Err())
		}
	}
	return nil
}

// replacePeers starts and ends what differs, and returns the peers that are gone.
func (s *Speaker) replacePeers(want map[netip.Addr]sessionConfig) ([]*peer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	var removed []*peer
	for addr, old := range s.peers {
		if _, ok := want[addr]; !ok {
			old.end(errRemoved)
			delete(s.peers, addr)
			removed = append(removed, old)
		}
	}
	for addr, cfg := range want {
		old := s.peers[addr]
		if old != nil && old.cfg == cfg {
			continue
		}
		var before <-chan struct{}
		if old != nil {
			old.end(errChanged)
			before = old.done
		}
		s.peers[addr] = s.startPeer(cfg, before)
	}
	return removed, nil
}

// Announce makes the announced set equal to routes, in any order, repetitions being
// harmless. It does not wait for peers; each gets what differs from what it has, in
// its own time. The first call lets peers be dialled. Routes that make no sense are
// refused, and then nothing changes.
func (s *Speaker) Announce(ctx context.Context, routes []Route) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r, err := newRIB(routes)
	if err != nil {
		return fmt.Errorf("announcing by BGP: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.rib = r
	select {
	case <-s.known:
	default:
		close(s.known)
	}
	for _, p := range s.peers {
		p.wake()
	}
	return nil
}

// Peers is the state of each peer, sorted by address.
func (s *Speaker) Peers() []PeerState {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]PeerState, 0, len(s.peers))
	for _, p := range s.peers {
		list = append(list, p.stateNow())
	}
	slices.SortFunc(list, func(a, b PeerState) int { return a.Address.Compare(b.Address) })
	return list
}

// Close ends all sessions so that peers keep the routes as after a crash, and waits
// for everything that the speaker has started. It may be called twice.
func (s *Speaker) Close() {
	s.mu.Lock()
	s.closed = true
	for _, p := range s.peers {
		p.end(errClosed)
	}
	clear(s.peers)
	s.mu.Unlock()
	s.running.Wait()
}

func sessionsOf(cfg Config) (map[netip.Addr]sessionConfig, error) {
	if cfg.ASN == 0 {
		return nil, errors.New("an ASN is needed")
	}
	if !cfg.RouterID.Is4() || cfg.RouterID.IsUnspecified() {
		return nil, fmt.Errorf("router ID %s: an IPv4 address is needed", cfg.RouterID)
	}
	want := make(map[netip.Addr]sessionConfig, len(cfg.Peers))
	for _, p := range cfg.Peers {
		p.Address, p.Port = p.Address.Unmap(), cmp.Or(p.Port, 179)
		switch _, twice := want[p.Address]; {
		case twice:
			return nil, fmt.Errorf("peer %s is there twice", p.Address)
		case !p.Address.IsValid() || p.Address.IsUnspecified() || p.Address.IsMulticast():
			return nil, fmt.Errorf("peer %s: the address of a router is needed", p.Address)
		case p.ASN == 0:
			return nil, fmt.Errorf("peer %s: an ASN is needed", p.Address)
		case len(p.Password) > maxPassword:
			return nil, fmt.Errorf("peer %s: the password is longer than %d bytes", p.Address, maxPassword)
		}
		want[p.Address] = sessionConfig{asn: cfg.ASN, routerID: cfg.RouterID, peer: p}
	}
	return want, nil
}
