package topology

import (
	"encoding/binary"
	"hash/fnv"
)

// firstAutoVNI keeps low VNIs, which people like to choose, for people as long as
// there are others.
const firstAutoVNI = 4096

func hash64(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	// FNV's high bits depend little on the last bytes; mix them (the finalizer of
	// MurmurHash3, by A. Appleby).
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// choose returns a free number in [1, limit), and not below low if there is one,
// starting at a place that depends on the key: two writers who do not know of each other seldom choose the same, and a
// number that was just given back, to which switches may still send packets, is
// not soon given to somebody else.
func (p *pool) choose(low, limit uint32, key Key) (uint32, bool) {
	start := low + uint32(hash64(string(key.Kind), key.Tenant, key.Name)%uint64(limit-low))
	for _, from := range []uint32{start, low, 1} {
		if n, ok := p.taken.next(from); ok && n < limit {
			return n, true
		}
	}
	return 0, false
}

// takenIn says whether somebody has a number from first to last.
func (p *pool) takenIn(first, last uint32) bool {
	for n := first; n <= last; n++ {
		if p.taken.has(n) {
			return true
		}
	}
	return false
}

// newID chooses the number of a new object.
func (p *pool) newID(key Key) (uint32, error) {
	id, ok := p.choose(1, 1<<numbersBits, key)
	if !ok {
		return 0, invalid(key, "metadata.name", "there are too many %s; delete one", key.Kind.Plural())
	}
	return id, nil
}

// MaxHostID is the highest number of a host.
const MaxHostID = 10_000

// allocateHost gives h its number, unless it has one.
func (s *State) allocateHost(h *Host) error {
	if h.Allocated.ID != 0 {
		return nil
	}
	id, ok := s.hostIDs.choose(1, MaxHostID+1, h.Key())
	if !ok {
		return invalid(h.Key(), "metadata.name", "all %d numbers of hosts are taken; delete a host that is gone for good", MaxHostID)
	}
	h.Allocated.ID = id
	return nil
}

// allocateNetwork fills in n.Allocated; old is the network as it was, or nil.
func (s *State) allocateNetwork(n, old *Network) error {
	key := n.Key()
	n.Allocated = NetworkAllocation{VNI: n.Spec.VNI, MTU: n.Spec.MTU}
	if n.Allocated.MTU == 0 {
		n.Allocated.MTU = DefaultMTU
	}
	for _, sub := range n.Spec.Subnets {
		if !sub.Gateway.IsValid() {
			sub.Gateway = firstHost(sub.CIDR)
		}
		n.Allocated.Subnets = append(n.Allocated.Subnets, sub)
	}
	switch {
	case old != nil && n.Spec.VNI == 0:
		n.Allocated.VNI = old.Allocated.VNI
	case old != nil && n.Spec.VNI != old.Allocated.VNI:
		return invalid(key, "spec.vni", "%d; the VNI of a network cannot change, and it is %d: leave it out, or delete the network and create it again", n.Spec.VNI, old.Allocated.VNI)
	case n.Spec.VNI == 0:
		vni, ok := s.vnis.choose(firstAutoVNI, MaxVNI+1, key)
		if !ok {
			return invalid(key, "spec.vni", "all %d VNIs are taken; delete a network", MaxVNI)
		}
		n.Allocated.VNI = vni
	}
	if holder, taken := s.vnis.holder[n.Allocated.VNI]; taken && holder != key {
		return conflict(key, "spec.vni", holder, "VNI %d is taken; choose another, or leave it out to have one allocated", n.Allocated.VNI)
	}
	return nil
}

// allocateRouter gives r its id; old is the router as it was, or nil.
func (s *State) allocateRouter(r, old *Router) error {
	if old != nil {
		r.Allocated.ID = old.Allocated.ID
		return nil
	}
	id, err := s.routerIDs.newID(r.Key())
	r.Allocated.ID = id
	return err
}

func ipVersion(v4 bool) string {
	if v4 {
		return "IPv4"
	}
	return "IPv6"
}

// DerivedMAC makes a locally administered unicast address (IEEE 802c) of words: the
// same every time.
func DerivedMAC(words ...string) MAC {
	return macOf(hash64(words...))
}

func macOf(h uint64) MAC {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], h)
	return MAC{0x02, b[3], b[4], b[5], b[6], b[7]}
}

// deriveMAC makes a locally administered unicast address (IEEE 802c) of where the
// endpoint is in its network: the same every time, unless it is taken.
func deriveMAC(e *Endpoint, idx *netIndex) MAC {
	seed := e.Metadata.Name
	if len(e.Allocated.Addresses) > 0 {
		seed = e.Allocated.Addresses[0].String()
	}
	for h := hash64(e.Metadata.Tenant, e.Spec.Network, seed); ; h++ {
		m := macOf(h)
		if _, taken := idx.macs[m]; !taken {
			return m
		}
	}
}
