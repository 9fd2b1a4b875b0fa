package topology

import (
	"fmt"
	"maps"
	"slices"
)

// This file puts services into the state, and checks that the addresses by which
// they are reached are nobody else's.

func (d *Draft) putServices() error {
	for _, st := range d.puts(KindService) {
		v := st.now.(*Service)
		if err := d.tenantExists(st.Key); err != nil {
			return err
		}
		ext, err := d.externalOf(st.Key, "spec.gateway", v.Spec.Gateway)
		if err != nil {
			return err
		}
		v.Allocated = ServiceAllocation{ExternalNetwork: ext.Metadata.Name, InsideAddress: v.Spec.InsideAddress}
		if !v.Allocated.InsideAddress.IsValid() {
			v.Allocated.InsideAddress = v.Spec.Address
		}
		d.put(st)
	}
	return nil
}

// insideField is the field that the address is in by which endpoints reach the service.
func (v *Service) insideField() string {
	if v.Spec.InsideAddress.IsValid() {
		return "spec.insideAddress"
	}
	return "spec.address"
}

// checkServices checks services of one tenant at one gateway, which were put, against
// the tenant's routers there.
func (s *State) checkServices(services []*Service) error {
	at := use{services[0].Spec.Gateway, KindRouter, services[0].Metadata.Tenant}
	for _, name := range slices.Sorted(maps.Keys(s.atGateway[at])) {
		r, _ := s.objects[Key{KindRouter, at.tenant, name}].(*Router)
		if r == nil {
			continue // only if somebody tampered with the store
		}
		subnets := s.joinedSubnets(r)
		for _, v := range services {
			if in, found := subnetOf(subnets, v.Allocated.InsideAddress); found {
				return conflict(v.Key(), v.insideField(), r.NetworkKey(in.network),
					"%s is in subnet %s of network %s, which %s joins, and that is connected to gateway %s: endpoints would not reach the service; choose another insideAddress",
					v.Allocated.InsideAddress, in.CIDR, in.network, r.Key(), at.gateway)
			}
		}
	}
	for _, v := range services {
		if err := s.checkServiceOutside(v); err != nil {
			return err
		}
	}
	return nil
}

// checkServicesOf checks that no service at a router's gateways has an address in the
// router's subnets. blame is the router, or one of its networks.
func (s *State) checkServicesOf(r *Router, subnets []joined, blame Key) error {
	for i, g := range r.Spec.Gateways {
		for _, name := range slices.Sorted(maps.Keys(s.atGateway[use{g.Name, KindService, r.Metadata.Tenant}])) {
			v, _ := s.objects[Key{KindService, r.Metadata.Tenant, name}].(*Service)
			if v == nil {
				continue // only if somebody tampered with the store
			}
			in, found := subnetOf(subnets, v.Allocated.InsideAddress)
			if !found {
				continue
			}
			field := fmt.Sprintf("spec.gateways[%d]", i)
			if blame.Kind == KindNetwork {
				field = "spec.subnets"
			}
			return conflict(blame, field, v.Key(), "subnet %s of network %s, joined by %s, holds %s, by which a service at gateway %s is reached; give the service another insideAddress first",
				in.CIDR, in.network, r.Key(), v.Allocated.InsideAddress, g.Name)
		}
	}
	return nil
}
