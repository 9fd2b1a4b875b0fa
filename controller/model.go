package controller

import (
	"net/netip"
	"time"

	"github.com/dovetail-sdn/dovetail/ofctrl"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/topology"
)

// model is the intent and the reported ports as the control loop sees them,
// linked so that a change finds at once what depends on it. It is guarded by
// Controller.mu and changed by the loop alone.
type model struct {
	hosts     map[string]*host
	byDPID    map[uint64]*host
	tenants   map[topology.Key]*object
	networks  map[topology.Key]*network
	routers   map[topology.Key]*router
	endpoints map[topology.Key]*endpoint
	externals map[topology.Key]*external
	gateways  map[topology.Key]*gateway
	floats    map[topology.Key]*floating
	// floatMACs finds a floating IP that is on its endpoint's host by its MAC, exits an
	// attachment by its VNI.
	floatMACs map[topology.MAC]*floating
	exits     map[uint32]exit
	services  map[topology.Key]*service
	functions map[topology.Key]*function
	chains    map[topology.Key]*chain
	// byInterface finds the endpoint of an iface-id.
	byInterface map[string]*endpoint
	// claims are all ports that hosts report, by iface-id, whether or not there is
	// an endpoint for them.
	claims map[string][]claim
	// order rises with each claim that is new in a running session.
	order uint64
	// removed are deleted objects that some switch still has to acknowledge.
	removed map[topology.Key]*object
}

func newModel() model {
	return model{
		hosts:       map[string]*host{},
		byDPID:      map[uint64]*host{},
		tenants:     map[topology.Key]*object{},
		networks:    map[topology.Key]*network{},
		routers:     map[topology.Key]*router{},
		endpoints:   map[topology.Key]*endpoint{},
		externals:   map[topology.Key]*external{},
		gateways:    map[topology.Key]*gateway{},
		floats:      map[topology.Key]*floating{},
		floatMACs:   map[topology.MAC]*floating{},
		exits:       map[uint32]exit{},
		services:    map[topology.Key]*service{},
		functions:   map[topology.Key]*function{},
		chains:      map[topology.Key]*chain{},
		byInterface: map[string]*endpoint{},
		claims:      map[string][]claim{},
		removed:     map[topology.Key]*object{},
	}
}

// host is one OVS host.
type host struct {
	object
	spec *topology.Host
	feed *follow // what only this host gets: the base and its local fragments
	// follows are the feeds of the host's plan, its own included.
	follows   map[*follow]bool
	endpoints map[*endpoint]bool // bound here
	nets      map[*network]int   // how many of them each network has
	// ports is the last report, by iface-id; nil before the first one.
	ports map[string]ovsdb.Port

	ovsdbUp, ready, openflowUp bool
	awaySince                  time.Time // when the OpenFlow session was lost
	awayTold                   bool      // nobody waits for it any more
	problem                    string    // why provisioning cannot be finished
	// refusals are the objects that its switch refused something of.
	refusals map[*object]bool
	// unproved are the probes of tunnels from here that were not answered yet.
	unproved map[*host]*probe

	functions map[*function]bool // whose groups it has
	asked     map[uint32]*health // instances that owe an answer, by their ports
	accepts   map[*chain]bool    // to whose functions' instances it gives packets
	gateways  map[*gateway]bool  // whose groups it has
	externals map[*external]bool // that it has ports of
	wanted    ovsdb.Links        // what its gateways need
	// links are the last report of its tunnels to gateway hosts, by their numbers, and
	// linkNew since when there are those that have not been up yet.
	links   map[uint32]ovsdb.LinkState
	linkNew map[uint32]time.Time
	// linkMade is when links were asked for, of those that are new.
	linkMade map[uint32]time.Time
	// watchers are the hosts that have a tunnel to this one, to see whether it lives;
	// watches those that it has one to.
	watchers, watches map[*host]bool
}

func (h *host) vtep() netip.Addr { return h.spec.Allocated.EncapIP }

// network is one virtual network.
type network struct {
	object
	spec      *topology.Network
	feed      *follow
	router    *router
	endpoints map[*endpoint]bool
	hosts     map[*host]int // how many of its endpoints each host has
}

// router joins networks.
type router struct {
	object
	spec   *topology.Router
	feed   *follow
	nets   []*network
	chains map[*chain]bool // between its networks
	// exits are the gateways that it is connected to; parts the feeds of theirs that it is in.
	exits map[*gateway]bool
	parts map[*follow]bool
	// exhausted is when it had no port left, at a gateway.
	exhausted   time.Time
	exhaustedBy string
}

// endpoint is one attachment.
type endpoint struct {
	object
	spec    *topology.Endpoint
	net     *network
	binding *topology.Binding  // where it is; nil while nowhere
	host    *host              // of the binding
	floats  map[*floating]bool // that stand for it
	localOn *host              // the host whose feed has its local fragment
	// function is the one that it belongs to an instance of; nil for none.
	function *function
	// mismatch says that the port has another MAC than the endpoint.
	mismatch string
}

// mac is the endpoint's MAC where it is bound now.
func (e *endpoint) mac() topology.MAC {
	if e.binding != nil && !e.binding.MAC.IsZero() {
		return e.binding.MAC
	}
	return e.spec.Allocated.MAC
}

// bound is the endpoint as it is where it is bound.
func (e *endpoint) bound() *topology.Endpoint {
	if e.mac() == e.spec.Allocated.MAC {
		return e.spec
	}
	spec := *e.spec
	spec.Allocated.MAC = e.mac()
	return &spec
}

// claim is a host's report that it has an interface.
type claim struct {
	host *host
	port ovsdb.Port
	// order is 0 for what a host reports first to this controller, since that may
	// be old; later claims rise.
	order uint64
}

// follow is a feed, the hosts that follow it, and the objects that wait for them.
type follow struct {
	*ofctrl.Feed
	followers map[*host]bool
	pending   []pendingMark // in order of sequence number
}

type pendingMark struct {
	seq uint64
	obj *object
}

func newFollow(name string) *follow {
	return &follow{Feed: ofctrl.NewFeed(name), followers: map[*host]bool{}}
}

// object is what all kinds have: how far they have come into the switches.
type object struct {
	key topology.Key
	// needs are feeds whose followers must acknowledge up to a sequence number. A
	// slice, since there are few, but many objects have some after a start.
	needs []need
	// refused are the refusals of switches.
	refused map[refusal]string
	phase   topology.Phase
	since   time.Time
	waiters []chan struct{} // closed when the phase is settled
}

// need is what an object waits for in a feed.
type need struct {
	feed *follow
	seq  uint64
}

// needIn is what the object needs in a feed, nil for nothing.
func (o *object) needIn(f *follow) *need {
	for i := range o.needs {
		if o.needs[i].feed == f {
			return &o.needs[i]
		}
	}
	return nil
}

type refusal struct {
	host string
	feed *follow
}

func newObject(key topology.Key) object {
	return object{key: key, phase: topology.PhasePending}
}
