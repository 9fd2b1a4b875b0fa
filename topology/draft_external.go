package topology

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// This file puts external networks and what has addresses there into the state.

func (d *Draft) putExternals() error {
	for _, st := range d.puts(KindExternalNetwork) {
		x := st.now.(*ExternalNetwork)
		x.Allocated = ExternalNetworkAllocation{MTU: x.Spec.MTU}
		if x.Allocated.MTU == 0 {
			x.Allocated.MTU = DefaultExternalMTU
		}
		var err error
		if old, ok := st.old.(*ExternalNetwork); ok {
			x.Allocated.ID = old.Allocated.ID
		} else if x.Allocated.ID, err = d.state.externalIDs.newID(st.Key); err != nil {
			return err
		}
		d.put(st)
	}
	return nil
}

// attach fills in what a router has at its gateways.
func (d *Draft) attach(r, old *Router) error {
	r.Allocated.Gateways = nil
	for i, g := range r.Spec.Gateways {
		field := fmt.Sprintf("spec.gateways[%d].name", i)
		ext, err := d.externalOf(r.Key(), field, g.Name)
		if err != nil {
			return err
		}
		a := Attachment{Gateway: g.Name, ExternalNetwork: ext.Metadata.Name, Addresses: d.reserved[wishKey{r.Key(), g.Name}]}
		if before := attachmentOf(old, g.Name); before != nil {
			a.VNI, a.Zone = before.VNI, before.Zone
		} else if err := d.number(&a, r.Key(), field); err != nil {
			return err
		}
		r.Allocated.Gateways = append(r.Allocated.Gateways, a)
	}
	return nil
}

func attachmentOf(r *Router, gateway string) *Attachment {
	if r == nil {
		return nil
	}
	return r.Attachment(gateway)
}

// number chooses VNI and zone of a new attachment, and takes them at once, since a
// router can have several.
func (d *Draft) number(a *Attachment, router Key, field string) error {
	s, seed := d.state, Key{KindGateway, router.Tenant, router.Name + "/" + a.Gateway}
	var ok bool
	if a.VNI, ok = s.vnis.choose(firstAutoVNI, MaxVNI+1, seed); !ok {
		return invalid(router, field, "all %d VNIs are taken; delete a network", MaxVNI)
	}
	if a.Zone, ok = s.zones.choose(1, 1<<16, seed); !ok {
		return invalid(router, field, "all 65535 connection tracking zones are taken; disconnect another router from its gateway")
	}
	d.takeNumber(held{&s.vnis, a.VNI}, router)
	d.takeNumber(held{&s.zones, a.Zone}, router)
	return nil
}

func (d *Draft) putFloatingIPs() error {
	for _, st := range d.puts(KindFloatingIP) {
		f := st.now.(*FloatingIP)
		if err := d.tenantExists(st.Key); err != nil {
			return err
		}
		ext, err := d.externalOf(st.Key, "spec.gateway", f.Spec.Gateway)
		if err != nil {
			return err
		}
		f.Allocated = FloatingIPAllocation{ExternalNetwork: ext.Metadata.Name, Address: d.reserved[wishKey{holder: st.Key}][0]}
		d.put(st)
	}
	return nil
}

// checkExternalFits checks that the addresses that were given out are still of the
// external network.
func (s *State) checkExternalFits(x *ExternalNetwork) error {
	lost, found := netip.Addr{}, false
	idx := s.external(x.Metadata.Name)
	for a := range idx.addresses {
		if externalAddress(x, a) != "" && (!found || a.Less(lost)) {
			lost, found = a, true // the lowest, so that the answer is always the same
		}
	}
	if found {
		return conflict(x.Key(), "spec.subnets", idx.addresses[lost], "%s, and it is given out; take it back first", externalAddress(x, lost))
	}
	return s.checkNotRouted(x)
}

// checkStillStoodFor checks that an endpoint has the addresses that floating IPs
// stand for.
func (s *State) checkStillStoodFor(e *Endpoint, old Object) error {
	before, _ := old.(*Endpoint)
	if before == nil || slices.Equal(before.Allocated.Addresses, e.Allocated.Addresses) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.floating[e.Key()])) {
		f, _ := s.objects[Key{KindFloatingIP, e.Metadata.Tenant, name}].(*FloatingIP)
		if f == nil {
			continue // only if somebody tampered with the store
		}
		if err := s.checkFloatingIP(f); err != nil {
			return conflict(e.Key(), "spec.addresses", f.Key(), "the floating IP %s would no longer fit: %v; change or delete it first", f.Allocated.Address, err)
		}
	}
	return nil
}

// checkFloatingIP checks that the endpoints are there, and that packets from them can
// be told apart: what the address stands for, no other stands for.
func (s *State) checkFloatingIP(f *FloatingIP) error {
	for i, key := range f.Endpoints() {
		if s.objects[key] == nil {
			field := "spec.endpoint"
			if f.Spec.Endpoint == "" {
				field = fmt.Sprintf("spec.ports[%d].endpoint", i)
			}
			return invalid(f.Key(), field, "%s does not exist; create it first", key)
		}
	}
	if f.Spec.Endpoint == "" {
		return s.checkPortForwards(f)
	}
	e := s.objects[f.Endpoints()[0]].(*Endpoint)
	if a := f.Spec.EndpointAddress; a.IsValid() && !slices.Contains(e.Allocated.Addresses, a) {
		return invalid(f.Key(), "spec.endpointAddress", "%s is none of the addresses of %s", a, e.Key())
	}
	mine := f.Inside(e)
	if !mine.IsValid() {
		return invalid(f.Key(), "spec.endpoint", "%s has no %s address", e.Key(), ipVersion(f.Allocated.Address.Is4()))
	}
	for name := range s.floating[e.Key()] {
		o, _ := s.objects[Key{KindFloatingIP, f.Metadata.Tenant, name}].(*FloatingIP)
		if o == nil || name == f.Metadata.Name || o.Inside(e) != mine {
			continue
		}
		if o.Spec.Endpoint != "" {
			return conflict(f.Key(), "spec.endpoint", o.Key(), "%s of %s has a floating IP already, %s", mine, e.Key(), o.Allocated.Address)
		}
		if o.Spec.Gateway == f.Spec.Gateway {
			return conflict(f.Key(), "spec.endpoint", o.Key(), "ports of %s of %s are reached by the floating IP %s at the same gateway already, and replies could not be told apart", mine, e.Key(), o.Allocated.Address)
		}
	}
	return nil
}

// checkPortForwards checks that no floating IP at the same gateway stands for the
// whole address of an endpoint that f stands for ports of.
func (s *State) checkPortForwards(f *FloatingIP) error {
	for i, key := range f.Endpoints() {
		e := s.objects[key].(*Endpoint)
		mine := f.Inside(e)
		for name := range s.whole[key] {
			o, _ := s.objects[Key{KindFloatingIP, f.Metadata.Tenant, name}].(*FloatingIP)
			if o != nil && o.Spec.Gateway == f.Spec.Gateway && mine.IsValid() && o.Inside(e) == mine {
				return conflict(f.Key(), fmt.Sprintf("spec.ports[%d].endpoint", i), o.Key(), "the whole of %s of %s is reached by the floating IP %s at the same gateway already, and replies could not be told apart", mine, key, o.Allocated.Address)
			}
		}
	}
	return nil
}
