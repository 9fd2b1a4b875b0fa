package bgp

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

const (
	localPreference = 100

	// So that any message has less than 4096 bytes: a prefix takes at most 21 bytes
	// with its path identifier, and all else less than 300.
	prefixesPerMessage = 180
)

// updates are the UPDATEs that announce and withdraw paths, in that order, each in
// the order that differences has.
func updates(announce, withdraw []path, hops map[path]netip.Addr, attributes func() []bgp.PathAttributeInterface) iter.Seq[*bgp.BGPMessage] {
	return func(yield func(*bgp.BGPMessage) bool) {
		alike := func(a, b path) bool { return hops[a] == hops[b] }
		for paths := range batches(announce, alike) {
			if !yield(announcement(paths, hops[paths[0]], attributes())) {
				return
			}
		}
		sameFamily := func(a, b path) bool { return a.prefix.Addr().Is4() == b.prefix.Addr().Is4() }
		for paths := range batches(withdraw, sameFamily) {
			if !yield(withdrawal(paths)) {
				return
			}
		}
	}
}

// batches cuts paths where they are not alike and where messages are full.
func batches(paths []path, alike func(a, b path) bool) iter.Seq[[]path] {
	return func(yield func([]path) bool) {
		for len(paths) > 0 {
			most := min(len(paths), prefixesPerMessage)
			n := slices.IndexFunc(paths[:most], func(p path) bool { return !alike(p, paths[0]) })
			if n < 0 {
				n = most
			}
			if !yield(paths[:n]) {
				return
			}
			paths = paths[n:]
		}
	}
}

func announcement(paths []path, hop netip.Addr, attributes []bgp.PathAttributeInterface) *bgp.BGPMessage {
	if hop.Is4() {
		next, _ := bgp.NewPathAttributeNextHop(hop)
		// Attributes are sent in the order of their types.
		attributes = slices.Insert(attributes, 2, bgp.PathAttributeInterface(next))
		return bgp.NewBGPUpdateMessage(nil, attributes, nlri(paths))
	}
	reach, _ := bgp.NewPathAttributeMpReachNLRI(bgp.RF_IPv6_UC, nlri(paths), hop)
	return bgp.NewBGPUpdateMessage(nil, append(attributes, reach), nil)
}

func withdrawal(paths []path) *bgp.BGPMessage {
	if paths[0].prefix.Addr().Is4() {
		return bgp.NewBGPUpdateMessage(nlri(paths), nil, nil)
	}
	unreach, _ := bgp.NewPathAttributeMpUnreachNLRI(bgp.RF_IPv6_UC, nlri(paths))
	return bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{unreach}, nil)
}

func nlri(paths []path) []bgp.PathNLRI {
	list := make([]bgp.PathNLRI, len(paths))
	for i, p := range paths {
		n, _ := bgp.NewIPAddrPrefix(p.prefix) // valid: newRIB has checked it
		list[i] = bgp.PathNLRI{NLRI: n, ID: p.id}
	}
	return list
}

// attributes are those of every route of the session: ORIGIN, AS_PATH, and then what
// the kind of the session needs.
func (s *session) attributes() []bgp.PathAttributeInterface {
	cfg := s.p.cfg
	list := []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(bgp.BGP_ORIGIN_ATTR_TYPE_IGP)}
	if cfg.asn == cfg.peer.ASN {
		return append(list, bgp.NewPathAttributeAsPath(nil), bgp.NewPathAttributeLocalPref(localPreference))
	}
	long := bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint32{cfg.asn})
	if s.offer.longASN {
		return append(list, bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{long}))
	}
	short := bgp.NewAsPathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint16{shortASN(cfg.asn)})
	list = append(list, bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{short}))
	if cfg.asn > 1<<16-1 {
		list = append(list, bgp.NewPathAttributeAs4Path([]*bgp.As4PathParam{long}))
	}
	return list
}

// addPathModes is for the codec: in which families paths have identifiers.
func addPathModes(families []family) map[bgp.Family]bgp.BGPAddPathMode {
	modes := make(map[bgp.Family]bgp.BGPAddPathMode)
	for _, f := range families {
		if f.addPath {
			modes[f.Family] = bgp.BGP_ADD_PATH_SEND
		}
	}
	return modes
}
