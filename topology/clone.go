package topology

import (
	"maps"
	"slices"
)

func (m Metadata) clone() Metadata {
	m.Labels = maps.Clone(m.Labels)
	return m
}

// Clone implements Object.
func (t *Tenant) Clone() Object {
	c := *t
	c.Metadata = t.Metadata.clone()
	return &c
}

// Clone implements Object.
func (n *Network) Clone() Object {
	c := *n
	c.Metadata = n.Metadata.clone()
	c.Spec.Subnets = slices.Clone(n.Spec.Subnets)
	c.Allocated.Subnets = slices.Clone(n.Allocated.Subnets)
	return &c
}

// Clone implements Object.
func (r *Router) Clone() Object {
	c := *r
	c.Metadata = r.Metadata.clone()
	c.Spec.Networks = slices.Clone(r.Spec.Networks)
	c.Spec.StaticRoutes = slices.Clone(r.Spec.StaticRoutes)
	c.Spec.Gateways = slices.Clone(r.Spec.Gateways)
	for i := range c.Spec.Gateways {
		g := &c.Spec.Gateways[i]
		g.Destinations = slices.Clone(g.Destinations)
		g.Addresses = slices.Clone(g.Addresses)
		g.RoutedNetworks = slices.Clone(g.RoutedNetworks)
	}
	c.Allocated.Gateways = slices.Clone(r.Allocated.Gateways)
	for i := range c.Allocated.Gateways {
		c.Allocated.Gateways[i].Addresses = slices.Clone(c.Allocated.Gateways[i].Addresses)
	}
	return &c
}

// Clone implements Object.
func (e *Endpoint) Clone() Object {
	c := *e
	c.Metadata = e.Metadata.clone()
	c.Spec.Addresses = slices.Clone(e.Spec.Addresses)
	c.Spec.AllowedAddresses = slices.Clone(e.Spec.AllowedAddresses)
	c.Allocated.Addresses = slices.Clone(e.Allocated.Addresses)
	return &c
}

// Clone implements Object.
func (h *Host) Clone() Object {
	c := *h
	c.Metadata = h.Metadata.clone()
	c.Allocated.BridgeMappings = maps.Clone(h.Allocated.BridgeMappings)
	return &c
}

// Clone implements Object.
func (x *ExternalNetwork) Clone() Object {
	c := *x
	c.Metadata = x.Metadata.clone()
	c.Spec.Subnets = slices.Clone(x.Spec.Subnets)
	for i := range c.Spec.Subnets {
		s := &c.Spec.Subnets[i]
		s.NextHops = slices.Clone(s.NextHops)
		s.Pools = slices.Clone(s.Pools)
	}
	return &c
}

// Clone implements Object.
func (g *Gateway) Clone() Object {
	c := *g
	c.Metadata = g.Metadata.clone()
	c.Spec.Hosts = slices.Clone(g.Spec.Hosts)
	c.Spec.Addresses = slices.Clone(g.Spec.Addresses)
	c.Allocated.Lanes = slices.Clone(g.Allocated.Lanes)
	for i := range c.Allocated.Lanes {
		c.Allocated.Lanes[i].Addresses = slices.Clone(c.Allocated.Lanes[i].Addresses)
	}
	return &c
}

// Clone implements Object.
func (f *FloatingIP) Clone() Object {
	c := *f
	c.Metadata = f.Metadata.clone()
	c.Spec.Ports = slices.Clone(f.Spec.Ports)
	c.Spec.Sources = slices.Clone(f.Spec.Sources)
	return &c
}
