package topology

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
)

var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// Prefixes are the destinations, spelled out. There are none if the router is
// connected for services only.
func (g RouterGateway) Prefixes() []netip.Prefix {
	if g.ServicesOnly {
		return nil
	}
	if len(g.Destinations) == 0 {
		return everywhere
	}
	return g.Destinations
}

// Routes says whether a subnet of one of the router's networks is reached outside by
// its own addresses: IPv6 is, and IPv4 where that is said.
func (g RouterGateway) Routes(network string, cidr netip.Prefix) bool {
	return cidr.Addr().Is6() || slices.Contains(g.RoutedNetworks, network)
}

// Attachment is what the store chose for the router at the gateway, nil if it is
// not connected to it.
func (r *Router) Attachment(gateway string) *Attachment {
	for i := range r.Allocated.Gateways {
		if a := &r.Allocated.Gateways[i]; a.Gateway == gateway {
			return a
		}
	}
	return nil
}

// laneHosts are the hosts that lanes are of: those with a weight, or the first if
// there is none.
func (g *Gateway) laneHosts() []string {
	var list []string
	for _, h := range g.Spec.Hosts {
		if h.Weight > 0 {
			list = append(list, h.Name)
		}
	}
	if list == nil {
		return []string{g.Spec.Hosts[0].Name}
	}
	return list
}

// Lane says in which lane of the gateway a router is, by its id. Routers stay
// where they are when the weight of another host changes, or a host comes or goes,
// but for those that must move (rendezvous hashing).
func (g *Gateway) Lane(router uint32) int {
	best, bestScore, lane := 0, math.Inf(-1), 0
	for _, h := range g.Spec.Hosts {
		if h.Weight == 0 {
			continue
		}
		if s := score(router, h); s > bestScore {
			best, bestScore = lane, s
		}
		lane++
	}
	return best
}

// score is the logarithmic method of weighted rendezvous hashing (Schindelhauer
// and Schomaker, 2005).
func score(router uint32, h GatewayHost) float64 {
	uniform := (float64(hash64(strconv.Itoa(int(router)), h.Name)>>11) + 0.5) / (1 << 53) // in (0, 1)
	return -float64(h.Weight) / math.Log(uniform)
}

// Order is the hosts of a lane: the first is where it is while all live, and each
// takes over when all before it are dead.
func (g *Gateway) Order(lane int) []string {
	first := g.laneHosts()[lane]
	order := []string{first}
	for _, h := range g.Spec.Hosts {
		if h.Name != first {
			order = append(order, h.Name)
		}
	}
	return order
}

// subnetFor is the external subnet that holds the address, nil if none does.
func (x *ExternalNetwork) subnetFor(a netip.Addr) *ExternalSubnet {
	for i := range x.Spec.Subnets {
		if s := &x.Spec.Subnets[i]; s.CIDR.Contains(a) {
			return s
		}
	}
	return nil
}

// Endpoints are the keys of the endpoints that a floating IP stands for, one for
// each of its ports if it has any.
func (f *FloatingIP) Endpoints() []Key {
	key := func(name string) Key { return Key{KindEndpoint, f.Metadata.Tenant, name} }
	if f.Spec.Endpoint != "" {
		return []Key{key(f.Spec.Endpoint)}
	}
	list := make([]Key, len(f.Spec.Ports))
	for i, p := range f.Spec.Ports {
		list[i] = key(p.Endpoint)
	}
	return list
}

// Inside is the endpoint's address that the floating IP stands for; the zero Addr
// if the endpoint has none of its IP version.
func (f *FloatingIP) Inside(e *Endpoint) netip.Addr {
	if f.Spec.EndpointAddress.IsValid() {
		return f.Spec.EndpointAddress
	}
	for _, a := range e.Allocated.Addresses {
		if a.Is4() == f.Allocated.Address.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// Target is what a floating IP, or one port of it, stands for.
type Target struct {
	Endpoint Key
	Inside   netip.Addr // the endpoint's
	// Protocol is "tcp" or "udp"; "" if the whole address stands for the endpoint's,
	// and then the ports are 0.
	Protocol           string
	Port, EndpointPort uint16
}

// Targets spell out what the floating IP stands for, in the order of its ports.
// Endpoints that endpoint knows nothing of (nil), or that have no address of the IP
// version, are left out.
func (f *FloatingIP) Targets(endpoint func(Key) *Endpoint) []Target {
	var list []Target
	for i, key := range f.Endpoints() {
		e := endpoint(key)
		if e == nil {
			continue
		}
		t := Target{Endpoint: key, Inside: f.Inside(e)}
		if f.Spec.Endpoint == "" {
			p := f.Spec.Ports[i]
			t.Protocol, t.Port, t.EndpointPort = p.Protocol, uint16(p.Port), uint16(p.target())
		}
		if t.Inside.IsValid() {
			list = append(list, t)
		}
	}
	return list
}

// target is the endpoint's port.
func (p PortForward) target() int {
	if p.EndpointPort == 0 {
		return p.Port
	}
	return p.EndpointPort
}
