package store

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
)

// Each case: one store has validated a change, and before it commits, another
// store commits something that contradicts it. The first must notice.
func TestCommitNoticesWhatCameBetween(t *testing.T) {
	withVNI := func(tenant, name string, vni uint32) *topology.Network {
		n := network(tenant, name)
		n.Spec.VNI = vni
		return n
	}
	withID := func(tenant, name, id string) *topology.Endpoint {
		e := endpoint(tenant, name, "blue")
		e.Spec.InterfaceID = id
		return e
	}
	at := func(r *topology.Router, gateway string) *topology.Router {
		r.Spec.Gateways = []topology.RouterGateway{{Name: gateway}}
		return r
	}
	register := func(name string) []Change {
		return []Change{{Op: topology.OpRegister, Key: host(name), Object: &topology.Host{}}}
	}
	peering := func(name string) *topology.ExternalNetwork {
		x := external(name)
		x.Spec.PhysicalNetwork = name
		x.Spec.BGP = &topology.BGP{ASN: 65000, Peers: []topology.BGPPeer{{Address: netip.MustParseAddr("192.0.2.1"), ASN: 65001}}}
		return x
	}
	ports := func(name string) *topology.FloatingIP {
		f := floating("a", name, "")
		f.Spec.Ports = []topology.PortForward{{Protocol: "tcp", Port: 80, Endpoint: "web1"}}
		return f
	}
	wire := func(name string) *topology.ExternalNetwork {
		x := external(name)
		x.Spec.VLAN = 7
		return x
	}
	eight := external("internet")
	eight.Spec.Subnets = append(eight.Spec.Subnets, topology.ExternalSubnet{CIDR: netip.MustParsePrefix("fd00:8::/64")})
	alike, other := sameNumber(t)
	sided := chain("a", "c", "plain", "own")
	sided.Spec.Sources = []topology.Side{{Network: "side"}}
	numbered := func(tenant, router string, id func(topology.ChainAllocation) uint32) (first, between []Change) {
		one, other := sameChainNumber(t, id)
		return puts(chain("a", one, "plain", "own")), puts(chain(tenant, other, router, "own"))
	}
	oneID, otherID := numbered("b", "plain", func(a topology.ChainAllocation) uint32 { return a.ID })
	oneZone, otherZone := numbered("b", "plain", func(a topology.ChainAllocation) uint32 { return a.Zone })
	zoneOfChain, routerOfZone := sameZone(t)
	oneFunction, otherFunction := sameFunctionNumber(t)
	base := puts(tenant("a"), tenant("b"), tenant("empty"),
		network("a", "blue", "10.0.0.0/24"), network("a", "red", "10.1.0.0/24"), network("a", "green", "10.1.0.0/24"), network("b", "blue", "10.0.0.0/24"),
		external("internet"), gateway("edge"), gateway("spare"), gateway("busy"),
		network("a", "six", "fd00:6::/64"), network("b", "six", "fd00:6::/64"), network("a", "joined"), network("b", "joined"),
		at(router("a", "connected", "joined"), "busy"), at(router("b", "connected", "joined"), "busy"),
		network("a", "side"), network("a", "aside"), network("b", "side"), router("a", "plain", "side"), router("a", "unused", "aside"), router("b", "plain", "side"),
		function("a", "own"), function("b", "own"), function("b", "shared", "a"), function("b", "bare", "a"), untagged(function("b", "alone", "a")),
		endpoint("a", "web1", "blue"), &topology.Host{Metadata: topology.Metadata{Name: "h1"}})
	for name, tc := range map[string]struct{ first, between []Change }{
		"one address":                 {puts(endpoint("a", "x", "blue", "10.0.0.9")), puts(endpoint("a", "y", "blue", "10.0.0.9"))},
		"one allocated address":       {puts(endpoint("a", "x", "blue")), puts(endpoint("a", "y", "blue"))},
		"overlap on a router":         {puts(router("a", "r", "red")), puts(router("a", "r", "green"))},
		"one network, two routers":    {puts(router("a", "r", "red")), puts(router("a", "s", "red"))},
		"VNI of another tenant":       {puts(withVNI("a", "n", 7)), puts(withVNI("b", "n", 7))},
		"id of another tenant":        {puts(withID("a", "x", "uuid")), puts(withID("b", "x", "uuid"))},
		"network into a gone tenant":  {puts(network("empty", "n")), deletes(tenant("empty").Key())},
		"tenant with a new network":   {deletes(tenant("empty").Key()), puts(network("empty", "n"))},
		"network with a new endpoint": {deletes(network("a", "red").Key()), puts(endpoint("a", "x", "red"))},
		"endpoint in a gone network":  {puts(endpoint("a", "x", "red")), deletes(network("a", "red").Key())},
		"two controllers, one host":   {register("h2"), register("h2")},
		"one external address":        {puts(floating("a", "f", "192.0.2.9")), puts(floating("b", "f", "192.0.2.9"))},
		"one from the pool":           {puts(floating("a", "f", "")), puts(at(router("b", "r", "blue"), "edge"))},
		"router at a gone gateway":    {puts(at(router("a", "r", "red"), "spare")), deletes(gateway("spare").Key())},
		"gateway with a new router":   {deletes(gateway("spare").Key()), puts(at(router("a", "r", "red"), "spare"))},
		"one peer":                    {puts(peering("x")), puts(peering("y"))},
		"one port, two floating IPs":  {puts(ports("f")), puts(ports("g"))},
		"service at a gone gateway":   {puts(service("a", "s", "10.9.0.53")), deletes(gateway("edge").Key())},
		"gateway with a new service":  {deletes(gateway("edge").Key()), puts(service("a", "s", "10.9.0.53"))},
		"service in a new subnet":     {puts(service("a", "s", "10.1.0.53")), puts(at(router("a", "r", "red"), "edge"))},
		"one inside address":          {puts(service("a", "s", "10.9.0.53")), puts(service("a", "t", "10.9.0.53"))},
		"one number for two hosts":    {register(alike), register(other)},
		"one subnet, two tenants":     {puts(at(router("a", "r", "six"), "edge")), puts(at(router("b", "r", "six"), "edge"))},
		"one subnet, by a network":    {puts(network("a", "joined", "fd00:6::/64")), puts(at(router("b", "r", "six"), "edge"))},
		"one subnet, by two networks": {puts(network("a", "joined", "fd00:7::/64")), puts(network("b", "joined", "fd00:7::/64"))},
		"subnet of the outside":       {puts(network("a", "joined", "fd00:8::/64")), puts(eight)},
		"one wire":                    {puts(wire("x")), puts(wire("y"))},
		"one number for two chains":   {oneID, otherID},
		"one zone for two chains":     {oneZone, otherZone},
		"a zone of a router":          {puts(chain("a", zoneOfChain, "plain", "own")), puts(at(router("b", routerOfZone), "edge"))},
		"a zone of a chain":           {puts(at(router("b", routerOfZone), "edge")), puts(chain("a", zoneOfChain, "plain", "own"))},
		"one number, two functions":   {puts(function("a", oneFunction)), puts(function("b", otherFunction))},
		"one VLAN at a function":      {puts(chain("a", "c", "plain", "b/shared")), puts(chain("b", "d", "plain", "shared"))},
		"chain of a gone function":    {puts(chain("a", "c", "plain", "b/bare")), deletes(function("b", "bare").Key())},
		"function with a new chain":   {deletes(function("b", "bare").Key()), puts(chain("a", "c", "plain", "b/bare"))},
		"chain of an unshared one":    {puts(chain("a", "c", "plain", "b/bare")), puts(function("b", "bare"))},
		"unshared with a new chain":   {puts(function("b", "bare")), puts(chain("a", "c", "plain", "b/bare"))},
		"two routers without tags":    {puts(chain("a", "c", "plain", "b/alone")), puts(chain("b", "d", "plain", "alone"))},
		"no tags, and a chain":        {puts(untagged(function("b", "shared", "a")), chain("a", "c", "plain", "b/shared")), puts(chain("b", "d", "plain", "shared"))},
		"chain of a gone router":      {puts(chain("a", "c", "unused", "own")), deletes(router("a", "unused").Key())},
		"side that is not joined":     {puts(sided), puts(router("a", "plain"))},
		"one priority":                {puts(chain("a", "c", "plain", "own")), puts(chain("a", "d", "plain", "own"))},
		"one endpoint, two of them":   {puts(instance("a", "f", "web1")), puts(instance("a", "g", "web1"))},
		"instance of a gone one":      {puts(instance("a", "f", "web1")), deletes(endpoint("a", "web1", "blue").Key())},
		"host that is deleted":        {deletes(host("h1")), deletes(host("h1"))},
	} {
		t.Run(name, func(t *testing.T) {
			e := embedded(t)
			a, b := open(t, e.NewClient()), open(t, e.NewClient())
			apply(t, a, base)
			_, tx, rev := a.plan([]*request{{ctx: t.Context(), changes: withKeys(tc.first), reply: make(chan result, 1)}})
			if len(tx.edits) == 0 {
				t.Fatal("the change was not valid in the first place")
			}
			apply(t, b, tc.between)
			committed, _, _, err := a.commit(tx, rev)
			if err != nil || committed {
				t.Errorf("committed %v, error %v", committed, err)
			}
		})
	}
}

// sameNumber is two names for hosts that, each the first, get the same number.
func sameNumber(t *testing.T) (one, other string) {
	seen := map[uint32]string{}
	for i := 0; ; i++ {
		h := &topology.Host{Metadata: topology.Metadata{Name: fmt.Sprintf("host%d", i)}}
		d, err := topology.NewState().Try(puts(h), environment())
		if err != nil {
			t.Fatal(err)
		}
		id := d.Objects[0].(*topology.Host).Allocated.ID
		if one, twice := seen[id]; twice {
			return one, h.Metadata.Name
		}
		seen[id] = h.Metadata.Name
	}
}

// sandbox is an intent with what chains and routers of the tenant "a" and "b" need.
func sandbox(t *testing.T) *topology.State {
	t.Helper()
	s := topology.NewState()
	if _, err := s.Try(puts(tenant("a"), tenant("b"), router("a", "plain"), router("b", "plain"), function("a", "own"), function("b", "own"), external("internet"), gateway("edge")), environment()); err != nil {
		t.Fatal(err)
	}
	return s
}

// tried is the object as it would come out of the intent.
func tried[O topology.Object](t *testing.T, s *topology.State, o O) O {
	t.Helper()
	d, err := s.Try(puts(o), environment())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Undo()
	return d.Objects[0].(O)
}

// sameChainNumber is a name for a chain of tenant a and one for a chain of tenant b, to
// which the same number is allocated.
func sameChainNumber(t *testing.T, number func(topology.ChainAllocation) uint32) (a, b string) {
	s := sandbox(t)
	return pair(t,
		func(name string) uint32 { return number(tried(t, s, chain("a", name, "plain", "own")).Allocated) },
		func(name string) uint32 { return number(tried(t, s, chain("b", name, "plain", "own")).Allocated) })
}

// sameZone is a name for a chain of tenant a and one for a router of tenant b at a gateway,
// to which the same zone is allocated.
func sameZone(t *testing.T) (chainName, routerName string) {
	s := sandbox(t)
	return pair(t,
		func(name string) uint32 { return tried(t, s, chain("a", name, "plain", "own")).Allocated.Zone },
		func(name string) uint32 {
			r := router("b", name)
			r.Spec.Gateways = []topology.RouterGateway{{Name: "edge"}}
			return tried(t, s, r).Allocated.Gateways[0].Zone
		})
}

// sameFunctionNumber is the same for functions of the two tenants.
func sameFunctionNumber(t *testing.T) (a, b string) {
	s := sandbox(t)
	return pair(t,
		func(name string) uint32 { return tried(t, s, function("a", name)).Allocated.ID },
		func(name string) uint32 { return tried(t, s, function("b", name)).Allocated.ID })
}

// pair is one name for which the first says the same number as the second for the other.
func pair(t *testing.T, first, second func(name string) uint32) (one, other string) {
	t.Helper()
	ones, others := map[uint32]string{}, map[uint32]string{}
	for i := 0; ; i++ {
		name := fmt.Sprintf("n%d", i)
		n, m := first(name), second(name)
		ones[n], others[m] = name, name
		if ones[m] != "" {
			return ones[m], name
		}
		if others[n] != "" {
			return name, others[n]
		}
	}
}

func host(name string) topology.Key { return topology.Key{Kind: topology.KindHost, Name: name} }

// Bindings have no guard; still neither a host with one, nor one without its
// endpoint, can come about.
func TestBindingsAgainstDeletions(t *testing.T) {
	e := embedded(t)
	a, b := open(t, e.NewClient()), open(t, e.NewClient())
	web1 := endpoint("acme", "web1", "blue")
	apply(t, a, puts(tenant("acme"), network("acme", "blue"), web1, &topology.Host{Metadata: topology.Metadata{Name: "h1"}}))
	bind := func(s *Store, h string) {
		t.Helper()
		err := s.Bind(t.Context(), []BindingChange{{Endpoint: web1.Key(), Binding: &topology.Binding{Host: h, Port: "p", OFPort: 1}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, tx, rev := a.plan([]*request{{ctx: t.Context(), changes: deletes(host("h1")), reply: make(chan result, 1)}})
	bind(b, "h1")
	if committed, _, _, err := a.commit(tx, rev); err != nil || committed {
		t.Errorf("deleting a host that was just bound to: committed %v, error %v", committed, err)
	}
	if _, err := a.Apply(t.Context(), deletes(host("h1"))); err == nil {
		t.Error("a host with a binding was deleted")
	}
	apply(t, b, deletes(web1.Key()))
	if got := b.Bindings(); len(got) != 0 {
		t.Errorf("the binding outlived its endpoint: %v", got)
	}
	bind(a, "h1") // a may not have heard yet
	apply(t, a, deletes(host("h1")))
	same(t, a, b)
	if got := a.Bindings(); len(got) != 0 {
		t.Errorf("a deleted endpoint is bound: %v", got)
	}
	apply(t, a, puts(web1))
	bind(a, "h1") // a host that is gone
	if _, ok := a.Binding(web1.Key()); ok {
		t.Error("bound to a host that is gone")
	}
}

func TestRegisterHost(t *testing.T) {
	s := newStore(t)
	first, err := s.RegisterHost(t.Context(), "h1", topology.HostAllocation{EncapIP: netip.MustParseAddr("192.0.2.1"), DatapathID: 42})
	if err != nil {
		t.Fatal(err)
	}
	id := first.Allocated.DatapathID
	if id == 0 || id == 42 || id>>63 != 0 {
		t.Errorf("datapath id %#x", id)
	}
	number := first.Allocated.ID
	if number < 1 || number > topology.MaxHostID {
		t.Errorf("number %d", number)
	}
	again, err := s.RegisterHost(t.Context(), "h1", topology.HostAllocation{EncapIP: netip.MustParseAddr("192.0.2.1")})
	if err != nil || again.Metadata.Revision != first.Metadata.Revision {
		t.Errorf("an unchanged report was written: %v", err)
	}
	moved, err := s.RegisterHost(t.Context(), "h1", topology.HostAllocation{EncapIP: netip.MustParseAddr("192.0.2.9")})
	if err != nil || moved.Allocated.DatapathID != id || moved.Allocated.ID != number || moved.Metadata.Revision == first.Metadata.Revision {
		t.Errorf("a changed report: %+v, %v", moved, err)
	}
	labelled := &topology.Host{Metadata: topology.Metadata{Name: "h1", Labels: map[string]string{"rack": "7"}}, Spec: topology.HostSpec{Address: "tcp:192.0.2.9:6640"}}
	got := apply(t, s, puts(labelled))[0].(*topology.Host)
	if got.Allocated.DatapathID != id || got.Allocated.EncapIP.String() != "192.0.2.9" {
		t.Errorf("a put lost what the host said: %+v", got.Allocated)
	}
	kept, err := s.RegisterHost(t.Context(), "h1", topology.HostAllocation{})
	if err != nil || kept.Metadata.Labels["rack"] != "7" || kept.Spec.Address == "" {
		t.Errorf("a report lost what the user said: %+v, %v", kept, err)
	}
}
