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
