package topology

import "strings"

// String is the key as people see it in logs, errors and cookies' sources:
// "Endpoint acme/web1", "Host h1".
func (k Key) String() string {
	if k.Name == "" {
		return string(k.Kind) // of an object that could not be read, or a host that was refused
	}
	if k.Tenant == "" {
		return string(k.Kind) + " " + k.Name
	}
	return string(k.Kind) + " " + k.Tenant + "/" + k.Name
}

// Less orders keys by kind, tenant and name.
func (k Key) Less(o Key) bool {
	if k.Kind != o.Kind {
		return k.Kind < o.Kind
	}
	if k.Tenant != o.Tenant {
		return strings.Compare(k.Tenant, o.Tenant) < 0
	}
	return k.Name < o.Name
}

// Key implements Object.
func (t *Tenant) Key() Key { return Key{Kind: KindTenant, Name: t.Metadata.Name} }

// Key implements Object.
func (n *Network) Key() Key { return Key{KindNetwork, n.Metadata.Tenant, n.Metadata.Name} }

// Key implements Object.
func (r *Router) Key() Key { return Key{KindRouter, r.Metadata.Tenant, r.Metadata.Name} }

// Key implements Object.
func (e *Endpoint) Key() Key { return Key{KindEndpoint, e.Metadata.Tenant, e.Metadata.Name} }

// Key implements Object.
func (h *Host) Key() Key { return Key{Kind: KindHost, Name: h.Metadata.Name} }

// Key implements Object.
func (x *ExternalNetwork) Key() Key { return Key{Kind: KindExternalNetwork, Name: x.Metadata.Name} }

// Key implements Object.
func (g *Gateway) Key() Key { return Key{Kind: KindGateway, Name: g.Metadata.Name} }

// Key implements Object.
func (f *FloatingIP) Key() Key { return Key{KindFloatingIP, f.Metadata.Tenant, f.Metadata.Name} }

// Key implements Object.
func (s *Service) Key() Key { return Key{KindService, s.Metadata.Tenant, s.Metadata.Name} }

// Key implements Object.
func (f *ServiceFunction) Key() Key {
	return Key{KindServiceFunction, f.Metadata.Tenant, f.Metadata.Name}
}

// Key implements Object.
func (c *Chain) Key() Key { return Key{KindChain, c.Metadata.Tenant, c.Metadata.Name} }

// Meta implements Object.
func (t *Tenant) Meta() *Metadata { return &t.Metadata }

// Meta implements Object.
func (n *Network) Meta() *Metadata { return &n.Metadata }

// Meta implements Object.
func (r *Router) Meta() *Metadata { return &r.Metadata }

// Meta implements Object.
func (e *Endpoint) Meta() *Metadata { return &e.Metadata }

// Meta implements Object.
func (h *Host) Meta() *Metadata { return &h.Metadata }

// Meta implements Object.
func (x *ExternalNetwork) Meta() *Metadata { return &x.Metadata }

// Meta implements Object.
func (g *Gateway) Meta() *Metadata { return &g.Metadata }

// Meta implements Object.
func (f *FloatingIP) Meta() *Metadata { return &f.Metadata }

// Meta implements Object.
func (s *Service) Meta() *Metadata { return &s.Metadata }

// Meta implements Object.
func (f *ServiceFunction) Meta() *Metadata { return &f.Metadata }

// Meta implements Object.
func (c *Chain) Meta() *Metadata { return &c.Metadata }

// Clone implements Object.
func (t *Tenant) Clone() Object { return clone(t) }

// Clone implements Object.
func (n *Network) Clone() Object { return clone(n) }

// Clone implements Object.
func (r *Router) Clone() Object { return clone(r) }

// Clone implements Object.
func (e *Endpoint) Clone() Object { return clone(e) }

// Clone implements Object.
func (h *Host) Clone() Object { return clone(h) }

// Clone implements Object.
func (x *ExternalNetwork) Clone() Object { return clone(x) }

// Clone implements Object.
func (g *Gateway) Clone() Object { return clone(g) }

// Clone implements Object.
func (f *FloatingIP) Clone() Object { return clone(f) }

// Clone implements Object.
func (s *Service) Clone() Object { return clone(s) }

// Clone implements Object.
func (f *ServiceFunction) Clone() Object { return clone(f) }

// Clone implements Object.
func (c *Chain) Clone() Object { return clone(c) }

// NetworkKey is the key of the endpoint's network.
func (e *Endpoint) NetworkKey() Key {
	return Key{KindNetwork, e.Metadata.Tenant, e.Spec.Network}
}

// NetworkKey is the key of one of the router's networks.
func (r *Router) NetworkKey(name string) Key {
	return Key{KindNetwork, r.Metadata.Tenant, name}
}
