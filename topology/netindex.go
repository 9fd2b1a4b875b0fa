package topology

import "net/netip"

// netIndex is what is known of one network by way of the objects that refer to
// it. It can outlive the network object for a moment, inside a change set.
type netIndex struct {
	router    string // the router that joins it, or ""
	endpoints map[string]struct{}
	addresses map[netip.Addr]string // to the endpoint's name
	macs      map[MAC]string
	subnets   map[netip.Prefix]*numbers // taken offsets, of subnets that were allocated from
}

func newNetIndex() *netIndex {
	return &netIndex{endpoints: map[string]struct{}{}, addresses: map[netip.Addr]string{}, macs: map[MAC]string{}}
}

func (n *netIndex) attach(e *Endpoint) {
	name := e.Metadata.Name
	n.endpoints[name] = struct{}{}
	for _, a := range e.Allocated.Addresses {
		if _, taken := n.addresses[a]; taken {
			continue
		}
		n.addresses[a] = name
		n.mark(a, (*numbers).add)
	}
	if _, taken := n.macs[e.Allocated.MAC]; !taken {
		n.macs[e.Allocated.MAC] = name
	}
}

func (n *netIndex) detach(e *Endpoint) {
	name := e.Metadata.Name
	delete(n.endpoints, name)
	for _, a := range e.Allocated.Addresses {
		if n.addresses[a] != name {
			continue
		}
		delete(n.addresses, a)
		n.mark(a, (*numbers).remove)
	}
	if n.macs[e.Allocated.MAC] == name {
		delete(n.macs, e.Allocated.MAC)
	}
}

func (n *netIndex) mark(a netip.Addr, do func(*numbers, uint32)) {
	for p, taken := range n.subnets {
		if off, ok := offset(p, a); ok {
			do(taken, off)
		}
	}
}

// setSubnets forgets the offsets of subnets that are no more.
func (n *netIndex) setSubnets(net *Network) {
	for p := range n.subnets {
		if !hasSubnet(net.Allocated.Subnets, p) {
			delete(n.subnets, p)
		}
	}
}

// offsets are the taken offsets of a subnet. They are collected once, when the
// first address is allocated from it, and kept up from then on.
func (n *netIndex) offsets(p netip.Prefix) *numbers {
	taken := n.subnets[p]
	if taken != nil {
		return taken
	}
	taken = &numbers{}
	for a := range n.addresses {
		if off, ok := offset(p, a); ok {
			taken.add(off)
		}
	}
	if n.subnets == nil {
		n.subnets = map[netip.Prefix]*numbers{}
	}
	n.subnets[p] = taken
	return taken
}

// free returns the lowest address of the subnet that an endpoint can get. It
// looks at the first 2^24 addresses.
func (n *netIndex) free(s Subnet) (netip.Addr, bool) {
	taken := n.offsets(s.CIDR)
	for off, ok := taken.next(1); ok && off < size(s.CIDR); off, ok = taken.next(off + 1) {
		a := atOffset(s.CIDR, off)
		if a != s.Gateway && notForHosts(s.CIDR, a) == "" {
			return a, true
		}
	}
	return netip.Addr{}, false
}

func hasSubnet(list []Subnet, p netip.Prefix) bool {
	for _, s := range list {
		if s.CIDR == p {
			return true
		}
	}
	return false
}
