package topology

import (
	"fmt"
	"net/netip"
	"slices"
)

// This file puts the objects of a draft into the state, kind by kind, choosing
// what they leave open. What users chose goes first, then what an object had
// already, then what is new: so the outcome does not depend on the order of the
// changes more than it must.

func conflict(key Key, field string, holder Key, format string, args ...any) *ConflictError {
	return &ConflictError{Key: key, Field: field, Reason: fmt.Sprintf(format, args...), Holder: holder}
}

func (d *Draft) putTenantsAndHosts() error {
	for _, st := range d.puts(KindTenant) {
		d.put(st)
	}
	for _, st := range d.puts(KindHost) {
		if err := d.state.allocateHost(st.now.(*Host)); err != nil {
			return err
		}
		d.put(st)
	}
	return nil
}

// tenantExists checks that an object's tenant is there.
func (d *Draft) tenantExists(key Key) error {
	if d.state.objects[Key{Kind: KindTenant, Name: key.Tenant}] == nil {
		return invalid(key, "metadata.tenant", "tenant %s does not exist; create it first", key.Tenant)
	}
	return nil
}

func (d *Draft) putNetworks() error {
	steps := d.puts(KindNetwork)
	for _, chosen := range []bool{true, false} {
		for _, st := range steps {
			n, old := st.now.(*Network), asNetwork(st.old)
			if chosen != (n.Spec.VNI != 0 || old != nil) {
				continue
			}
			if err := d.tenantExists(st.Key); err != nil {
				return err
			}
			if err := d.state.allocateNetwork(n, old); err != nil {
				return err
			}
			d.put(st)
		}
	}
	return nil
}

func asNetwork(o Object) *Network {
	n, _ := o.(*Network)
	return n
}

func (d *Draft) putRouters() error {
	for _, st := range d.puts(KindRouter) {
		r := st.now.(*Router)
		if err := d.tenantExists(st.Key); err != nil {
			return err
		}
		for i, name := range r.Spec.Networks {
			field, key := fmt.Sprintf("spec.networks[%d]", i), r.NetworkKey(name)
			if d.state.objects[key] == nil {
				return invalid(st.Key, field, "%s does not exist; create it first", key)
			}
			if other := d.state.networks[key].router; other != "" {
				return conflict(st.Key, field, Key{KindRouter, st.Key.Tenant, other}, "%s is joined to another router; a network has one router", key)
			}
		}
		old, _ := st.old.(*Router)
		if err := d.state.allocateRouter(r, old); err != nil {
			return err
		}
		if err := d.attach(r, old); err != nil {
			return err
		}
		d.put(st)
	}
	return nil
}

// placing is an endpoint that is being put into its network.
type placing struct {
	*step
	e   *Endpoint
	old *Endpoint // nil if new, or in another network before
	net *Network
	idx *netIndex
}

func (d *Draft) putEndpoints() error {
	steps := d.puts(KindEndpoint)
	if len(steps) == 0 {
		return nil
	}
	all := make([]placing, 0, len(steps))
	for _, st := range steps {
		p, err := d.place(st)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	for _, part := range []func(placing) error{takeChosen, keepOld, takeNew} {
		for _, p := range all {
			if err := part(p); err != nil {
				return err
			}
		}
	}
	for _, p := range all {
		d.put(p.step)
	}
	return nil
}

// place finds the network of an endpoint and takes its interface id.
func (d *Draft) place(st *step) (placing, error) {
	e := st.now.(*Endpoint)
	if err := d.tenantExists(st.Key); err != nil {
		return placing{}, err
	}
	net := asNetwork(d.state.objects[e.NetworkKey()])
	if net == nil {
		return placing{}, invalid(st.Key, "spec.network", "%s does not exist; create it first", e.NetworkKey())
	}
	e.Allocated = EndpointAllocation{InterfaceID: e.Spec.InterfaceID}
	if e.Allocated.InterfaceID == "" {
		e.Allocated.InterfaceID = st.Key.Tenant + "/" + st.Key.Name
	}
	if holder, taken := d.state.interfaces[e.Allocated.InterfaceID]; taken {
		return placing{}, conflict(st.Key, "spec.interfaceID", holder, "interface id %q is taken; choose another", e.Allocated.InterfaceID)
	}
	idx := d.state.network(e.NetworkKey())
	d.state.interfaces[e.Allocated.InterfaceID] = st.Key
	d.undo = append(d.undo, func() {
		delete(d.state.interfaces, e.Allocated.InterfaceID)
		idx.detach(e)
	})
	old, _ := st.old.(*Endpoint)
	if old != nil && old.Spec.Network != e.Spec.Network {
		old = nil
	}
	return placing{step: st, e: e, old: old, net: net, idx: idx}, nil
}

func (p placing) take(a netip.Addr) {
	p.e.Allocated.Addresses = append(p.e.Allocated.Addresses, a)
	p.idx.addresses[a] = p.Key.Name
	p.idx.mark(a, (*numbers).add)
}

func (p placing) takeMAC(m MAC) {
	p.e.Allocated.MAC = m
	p.idx.macs[m] = p.Key.Name
}

// takeChosen takes what the user chose.
func takeChosen(p placing) error {
	for i, a := range p.e.Spec.Addresses {
		field := fmt.Sprintf("spec.addresses[%d]", i)
		if reason := addressIn(p.net, a); reason != "" {
			return invalid(p.Key, field, "%s", reason)
		}
		if holder, taken := p.idx.addresses[a]; taken {
			return conflict(p.Key, field, Key{KindEndpoint, p.Key.Tenant, holder}, "%s is taken in %s; choose another, or leave addresses out to have one allocated", a, p.net.Key())
		}
		p.take(a)
	}
	if m := p.e.Spec.MAC; !m.IsZero() {
		if holder, taken := p.idx.macs[m]; taken {
			return conflict(p.Key, "spec.mac", Key{KindEndpoint, p.Key.Tenant, holder}, "%s is taken in %s; choose another, or leave it out to have one derived", m, p.net.Key())
		}
		p.takeMAC(m)
	}
	return nil
}

// keepOld keeps what was allocated before and still fits: one address of each IP
// version, and the MAC.
func keepOld(p placing) error {
	if p.old == nil {
		return nil
	}
	if len(p.e.Spec.Addresses) == 0 {
		for _, a := range p.old.Allocated.Addresses {
			if _, taken := p.idx.addresses[a]; !taken && !p.has(a.Is4()) && addressIn(p.net, a) == "" {
				p.take(a)
			}
		}
	}
	if m := p.old.Allocated.MAC; p.e.Allocated.MAC.IsZero() {
		if _, taken := p.idx.macs[m]; !taken {
			p.takeMAC(m)
		}
	}
	return nil
}

// has says whether the endpoint has an address of the IP version.
func (p placing) has(v4 bool) bool {
	return slices.ContainsFunc(p.e.Allocated.Addresses, func(a netip.Addr) bool { return a.Is4() == v4 })
}

// takeNew allocates what is still open.
func takeNew(p placing) error {
	for _, v4 := range []bool{true, false} {
		if len(p.e.Spec.Addresses) > 0 || p.has(v4) {
			continue
		}
		if err := takeAddress(p, v4); err != nil {
			return err
		}
	}
	slices.SortStableFunc(p.e.Allocated.Addresses, func(a, b netip.Addr) int {
		if len(p.e.Spec.Addresses) > 0 {
			return 0 // as the user wrote them
		}
		return a.BitLen() - b.BitLen()
	})
	if p.e.Allocated.MAC.IsZero() {
		p.takeMAC(deriveMAC(p.e, p.idx))
	}
	return nil
}

// takeAddress allocates the lowest free address of the first subnet of the IP
// version that has one.
func takeAddress(p placing, v4 bool) error {
	full := false
	for _, s := range p.net.Allocated.Subnets {
		if s.CIDR.Addr().Is4() != v4 {
			continue
		}
		if a, ok := p.idx.free(s); ok {
			p.take(a)
			return nil
		}
		full = true
	}
	if full && p.old == nil { // an endpoint that did without can go on so
		return invalid(p.Key, "spec.network", "%s has no free %s address left; give it another subnet", p.net.Key(), ipVersion(v4))
	}
	return nil
}

// addressIn says why an endpoint of the network cannot have the address, or "".
func addressIn(n *Network, a netip.Addr) string {
	for _, s := range n.Allocated.Subnets {
		if !s.CIDR.Contains(a) {
			continue
		}
		if reason := notForHosts(s.CIDR, a); reason != "" {
			return reason + "; choose another"
		}
		if a == s.Gateway {
			return fmt.Sprintf("%s is the gateway of %s; choose another", a, s.CIDR)
		}
		return ""
	}
	if len(n.Allocated.Subnets) == 0 {
		return fmt.Sprintf("%s has no subnets; give it one, or leave addresses out", n.Key())
	}
	return fmt.Sprintf("%s is in no subnet of %s; choose an address in %s", a, n.Key(), subnetNames(n))
}

func subnetNames(n *Network) string {
	var s string
	for i, sub := range n.Allocated.Subnets {
		if i > 0 {
			s += ", "
		}
		s += sub.CIDR.String()
	}
	return s
}
