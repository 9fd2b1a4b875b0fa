package pipeline

import (
	"net/netip"
	"slices"

	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/topology"
)

// Members is what a network's endpoints together tell every host of the routing
// domain.
type Members struct {
	// VTEPs are those of the hosts that have endpoints of the network, sorted.
	VTEPs []netip.Addr
	// Shared are the prefixes that endpoints of the network may use besides their
	// own addresses, and SharedMACs the MACs with which they may do so; sorted.
	Shared     []netip.Prefix
	SharedMACs []topology.MAC
}

// hostsPerPage bounds the size of a flow: 32 bytes a host, 65,535 a message.
const hostsPerPage = 500

// Network is a network as every host of its routing domain sees it: the hosts to
// which broadcasts go, and the addresses for which endpoints must be asked.
func Network(n *topology.Network, m Members) []openflow.Flow {
	var b builder
	vni := n.Allocated.VNI
	floodRemote(&b, vni, m.VTEPs)
	for _, p := range m.Shared {
		b.add(TableNeighbour, 50, match(network(vni), nextHopPrefix(p)), raise(FlagShared))
	}
	for _, mac := range m.SharedMACs {
		dst := openflow.EthDst.MAC(mac)
		b.goTo(TableForward, prioTunnelStop+10, match(inPort(TunnelPort), network(vni), dst), TableFloodLocal)
		b.goTo(TableForward, prioRemote-10, match(network(vni), dst), TableFloodRemote)
	}
	return b.flows
}

// floodRemote replicates to hosts in pages that call the next one, since one
// flow cannot hold thousands of hosts.
func floodRemote(b *builder, vni uint32, vteps []netip.Addr) {
	for page := uint64(0); len(vteps) > 0; page++ {
		k := min(len(vteps), hostsPerPage)
		a := actions(openflow.SetField{FieldValue: openflow.TunID.Uint(uint64(vni))})
		for _, v := range vteps[:k] {
			a = append(a, openflow.SetField{FieldValue: tunDst(v)}, openflow.Resubmit{Table: TableTunnelOut})
		}
		vteps = vteps[k:]
		m := match(network(vni), RegPage.Uint(page))
		if len(vteps) > 0 {
			b.add(TableFloodRemote, 100, m, append(a,
				openflow.SetField{FieldValue: RegPage.Uint(page + 1)}, openflow.Resubmit{Table: TableFloodRemote})...)
			continue
		}
		b.goTo(TableFloodRemote, 100, m, TableFloodLocal, a...)
	}
}

// portsPerPage bounds what one more port changes in the flows of a host that has
// thousands: the page that the port is on.
const portsPerPage = 16

// NetworkLocal is a network on one host that has endpoints of it, at ofports,
// which are sorted.
func NetworkLocal(n *topology.Network, ofports []uint32) []openflow.Flow {
	var b builder
	m := match(network(n.Allocated.VNI))
	switch {
	case len(ofports) == 0:
	case len(ofports) <= portsPerPage:
		b.add(TableFloodLocal, 100, m, outputs(ofports)...)
	default:
		var index []openflow.Action
		for len(ofports) > 0 {
			page := uint64(ofports[0] / portsPerPage)
			k := slices.IndexFunc(ofports, func(p uint32) bool { return uint64(p/portsPerPage) != page })
			if k < 0 {
				k = len(ofports)
			}
			// A port keeps its page whatever others come and go.
			b.add(TableFloodPage, 100, match(network(n.Allocated.VNI), RegPage.Uint(page)), outputs(ofports[:k])...)
			index = append(index, openflow.SetField{FieldValue: RegPage.Uint(page)}, openflow.Resubmit{Table: TableFloodPage})
			ofports = ofports[k:]
		}
		b.add(TableFloodLocal, 100, m, index...)
	}
	return b.flows
}

func outputs(ofports []uint32) []openflow.Action {
	a := make([]openflow.Action, len(ofports))
	for i, p := range ofports {
		a[i] = openflow.Output{Port: p}
	}
	return a
}
