package topology

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

func (d *Draft) putGateways() error {
	for _, st := range d.puts(KindGateway) {
		g := st.now.(*Gateway)
		old, _ := st.old.(*Gateway)
		var err error
		if old != nil {
			g.Allocated.ID = old.Allocated.ID
		} else if g.Allocated.ID, err = d.state.gatewayIDs.newID(st.Key); err != nil {
			return err
		}
		g.Allocated.Lanes = d.lanes(g, old)
		for i := range g.Allocated.Lanes {
			if len(g.Allocated.Lanes[i].Addresses) == 0 {
				return invalid(st.Key, "spec.addresses", "a gateway needs an address of its own, one for each host with a weight: choose them, or give a subnet of its external network pools")
			}
		}
		d.put(st)
	}
	return nil
}

// lanes divides what was reserved for the gateway among its lanes: each keeps what
// it had, and then gets what it lacks.
func (d *Draft) lanes(g, old *Gateway) []Lane {
	got := slices.Clone(d.reserved[wishKey{holder: g.Key()}])
	hosts := g.laneHosts()
	lanes := make([]Lane, len(hosts))
	for i, before := range oldLanes(hosts, old) {
		l := &lanes[i]
		if l.Host, l.MAC = hosts[i], d.laneMAC(); before != nil {
			l.MAC = before.MAC
			got = l.takeFrom(got, func(a netip.Addr) bool { return slices.Contains(before.Addresses, a) })
		}
	}
	for i := range lanes {
		got = lanes[i].takeFrom(got, func(netip.Addr) bool { return true })
		slices.SortFunc(lanes[i].Addresses, netip.Addr.Compare) // IPv4 first
	}
	return lanes
}

// takeFrom moves to the lane those addresses that it may have, one of each IP
// version at most, and returns the rest.
func (l *Lane) takeFrom(list []netip.Addr, may func(netip.Addr) bool) (rest []netip.Addr) {
	return slices.DeleteFunc(list, func(a netip.Addr) bool {
		if !may(a) || slices.ContainsFunc(l.Addresses, func(b netip.Addr) bool { return a.Is4() == b.Is4() }) {
			return false
		}
		l.Addresses = append(l.Addresses, a)
		return true
	})
}

// oldLanes are what the hosts' lanes were before, nil for a new one. A gateway that
// gets other hosts altogether keeps one lane in any case.
func oldLanes(hosts []string, old *Gateway) []*Lane {
	list := make([]*Lane, len(hosts))
	if old == nil {
		return list
	}
	kept := false
	for i, h := range hosts {
		for j := range old.Allocated.Lanes {
			if old.Allocated.Lanes[j].Host == h {
				list[i], kept = &old.Allocated.Lanes[j], true
			}
		}
	}
	if !kept {
		list[0] = &old.Allocated.Lanes[0]
	}
	return list
}

// laneMAC is a locally administered unicast address (IEEE 802c). It is random,
// since other controllers may have gateways on the same physical network.
func (d *Draft) laneMAC() MAC {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], d.env.Random())
	return MAC{0x0e, b[3], b[4], b[5], b[6], b[7]}
}
