package controller

import (
	"fmt"
	"net/netip"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
	"pgregory.net/rapid"
)

// The outside of the tests: external network internet with router 203.0.113.1, and
// gateway edge on some of the hosts.
func anExternal() *topology.ExternalNetwork {
	return &topology.ExternalNetwork{
		Metadata: topology.Metadata{Name: "internet"},
		Spec: topology.ExternalNetworkSpec{PhysicalNetwork: "physnet1", Subnets: []topology.ExternalSubnet{
			{CIDR: netip.MustParsePrefix("203.0.113.0/24"), NextHops: []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.254")}},
		}},
		Allocated: topology.ExternalNetworkAllocation{ID: 1, MTU: 1500},
	}
}

func aGateway(hosts ...string) *topology.Gateway {
	g := &topology.Gateway{
		Metadata: topology.Metadata{Name: "edge"},
		Spec:     topology.GatewaySpec{ExternalNetwork: "internet"},
		Allocated: topology.GatewayAllocation{ID: 1, Lanes: []topology.Lane{
			{Host: hosts[0], MAC: topology.MAC{0x0e, 0, 0, 0, 0, 1}, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.2")}},
		}},
	}
	for _, h := range hosts {
		g.Spec.Hosts = append(g.Spec.Hosts, topology.GatewayHost{Name: h})
	}
	return g
}

// weighted gives each host of a gateway a lane.
func weighted(g *topology.Gateway) *topology.Gateway {
	g.Allocated.Lanes = nil
	for i := range g.Spec.Hosts {
		h := &g.Spec.Hosts[i]
		h.Weight = 1
		n := h.Name[1] - '0'
		g.Allocated.Lanes = append(g.Allocated.Lanes, topology.Lane{Host: h.Name, MAC: topology.MAC{0x0e, 0, 0, 0, 1, n}, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, 10 + n})}})
	}
	return g
}

// mappedHost is a host that has a bridge to the external network.
func mappedHost(i int) *topology.Host {
	h := aHost(i)
	h.Allocated.ID = uint32(i)
	h.Allocated.BridgeMappings = map[string]string{"physnet1": "br-phys"}
	return h
}

// withExit connects a router to the gateway.
func withExit(r *topology.Router) *topology.Router {
	r.Spec.Gateways = []topology.RouterGateway{{Name: "edge"}}
	r.Allocated.Gateways = []topology.Attachment{{
		Gateway: "edge", ExternalNetwork: "internet", VNI: 9000 + r.Allocated.ID, Zone: r.Allocated.ID,
		Addresses: []netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, 100 + byte(r.Allocated.ID)})},
	}}
	return r
}

func aFloat(name string, last byte, e topology.Key) *topology.FloatingIP {
	return &topology.FloatingIP{
		Metadata:  topology.Metadata{Tenant: e.Tenant, Name: name},
		Spec:      topology.FloatingIPSpec{Gateway: "edge", Endpoint: e.Name},
		Allocated: topology.FloatingIPAllocation{ExternalNetwork: "internet", Address: netip.AddrFrom4([4]byte{203, 0, 113, last})},
	}
}

func aService() *topology.Service {
	return &topology.Service{
		Metadata:  topology.Metadata{Tenant: "acme", Name: "dns"},
		Spec:      topology.ServiceSpec{Gateway: "edge", Address: netip.MustParseAddr("10.0.0.53"), Ports: []topology.ServicePort{{Protocol: "udp", Port: 53}}},
		Allocated: topology.ServiceAllocation{ExternalNetwork: "internet", InsideAddress: netip.MustParseAddr("172.30.0.53")},
	}
}

// outsideScript does random things to the outside.
type outsideScript struct {
	external *topology.ExternalNetwork
	gateway  *topology.Gateway
	float    *topology.FloatingIP
	service  *topology.Service
	attached bool
	mapped   map[int]bool
}

func (o *outsideScript) begin(s *script) {
	o.external, o.gateway, o.mapped = anExternal(), aGateway("h1", "h2"), map[int]bool{}
	for i := 1; i <= 3; i++ {
		s.w.put(o.host(i))
	}
	s.w.put(o.external, o.gateway)
}

func (o *outsideScript) host(i int) *topology.Host {
	h := mappedHost(i)
	if !o.mapped[i] {
		h.Allocated.BridgeMappings = map[string]string{"physnet2": "br-other"}
	}
	return h
}

func (o *outsideScript) attach(r *topology.Router) *topology.Router {
	if o.attached {
		return withExit(r)
	}
	return r
}

func (o *outsideScript) stoodFor(k topology.Key) bool {
	return o.float != nil && o.float.Endpoints()[0] == k
}

func (o *outsideScript) step(s *script) {
	what := rapid.SampledFrom([]string{"mapping", "hosts", "attach", "float", "service", "mtu", "physnet", "gone", "host"}).Draw(s.rt, "outside")
	s.log = append(s.log, what)
	switch what {
	case "mapping":
		i := rapid.IntRange(1, 3).Draw(s.rt, "host")
		o.mapped[i] = !o.mapped[i]
		s.w.put(o.host(i))
	case "gone":
		o.remove(s)
	case "host":
		i := rapid.IntRange(1, 3).Draw(s.rt, "host")
		if h := o.host(i); len(s.ports[h.Metadata.Name]) == 0 {
			s.w.remove(h.Key())
			s.w.put(h)
		}
	case "hosts":
		o.gateway = aGateway(rapid.SampledFrom([][]string{{"h1"}, {"h1", "h2"}, {"h3", "h1"}, {"h2", "h9"}}).Draw(s.rt, "hosts")...)
		if len(o.gateway.Spec.Hosts) > 1 && rapid.Bool().Draw(s.rt, "weights") {
			o.gateway = weighted(o.gateway)
		}
		s.w.put(o.gateway)
	case "attach":
		o.attached = !o.attached
		if r := s.router["r"]; r != nil {
			s.router["r"] = o.attach(aRouter("acme", "r", 1, r.Spec.Networks...))
			s.w.put(s.router["r"])
		}
	case "float":
		if o.float != nil {
			s.w.remove(o.float.Key())
			o.float = nil
			return
		}
		for _, e := range s.eps {
			if o.float == nil || fmt.Sprint(e.Key()) < fmt.Sprint(o.float.Endpoints()[0]) {
				o.float = aFloat("f", 50, e.Key())
			}
		}
		if o.float != nil {
			s.w.put(o.float)
		}
	case "service":
		if o.service != nil {
			s.w.remove(o.service.Key())
			o.service = nil
			return
		}
		o.service = aService()
		s.w.put(o.service)
	case "mtu":
		x := *o.external
		x.Allocated.MTU = rapid.SampledFrom([]int{1300, 1500}).Draw(s.rt, "mtu")
		o.external = &x
		s.w.put(o.external)
	case "physnet":
		x := *o.external
		x.Spec.PhysicalNetwork = rapid.SampledFrom([]string{"physnet1", "physnet2"}).Draw(s.rt, "physnet")
		o.external = &x
		s.w.put(o.external)
	}
}

// remove takes all of the outside away in one commit, and puts back what is the same
// whatever happened.
func (o *outsideScript) remove(s *script) {
	var gone []topology.Key
	if o.float != nil {
		gone = append(gone, o.float.Key())
	}
	if o.service != nil {
		gone = append(gone, o.service.Key())
	}
	o.float, o.service, o.attached = nil, nil, false
	events := []store.Event{{Before: o.gateway}, {Before: o.external}}
	for _, k := range gone {
		events = append(events, store.Event{Before: s.w.current(k)})
	}
	if r := s.router["r"]; r != nil {
		s.router["r"] = aRouter("acme", "r", 1, r.Spec.Networks...)
		events = append(events, store.Event{Before: r, After: s.router["r"]})
	}
	s.w.turn(events...)
	if rapid.Bool().Draw(s.rt, "ack") {
		s.w.ackAll()
	}
	s.w.put(o.external, o.gateway)
}
