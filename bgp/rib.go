package bgp

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
)

// path is what a peer tells routes apart by: a prefix and, with ADD-PATH, the
// identifier of RFC 7911; 0 without.
type path struct {
	prefix netip.Prefix
	id     uint32
}

// rib is what is announced: next hops by path. It does not change.
type rib struct {
	all    map[path]netip.Addr // for peers with ADD-PATH
	lowest map[path]netip.Addr // for others
}

func newRIB(routes []Route) (*rib, error) {
	byPrefix := make(map[netip.Prefix][]netip.Addr)
	for _, r := range routes {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("route %s by %s: %w", r.Prefix, r.NextHop, err)
		}
		byPrefix[r.Prefix] = append(byPrefix[r.Prefix], r.NextHop)
	}
	t := &rib{all: make(map[path]netip.Addr, len(routes)), lowest: make(map[path]netip.Addr, len(byPrefix))}
	for prefix, hops := range byPrefix {
		slices.SortFunc(hops, netip.Addr.Compare)
		hops = slices.Compact(hops)
		t.lowest[path{prefix: prefix}] = hops[0]
		for _, hop := range hops {
			p := path{prefix: prefix, id: pathID(hop)}
			// IPv6 next hops may hash to the same identifier.
			for _, taken := t.all[p]; taken; _, taken = t.all[p] {
				p.id++
			}
			t.all[p] = hop
		}
	}
	return t, nil
}

func (r Route) check() error {
	hop := r.NextHop
	switch {
	case !r.Prefix.IsValid() || r.Prefix.Addr().Is4In6():
		return errors.New("a prefix is needed")
	case r.Prefix != r.Prefix.Masked():
		return errors.New("the prefix has host bits")
	case !hop.IsValid() || hop.Is4In6() || hop.Zone() != "" || hop.IsUnspecified() || hop.IsMulticast() || hop.IsLinkLocalUnicast():
		return errors.New("the next hop must be a global unicast address")
	case hop.Is4() != r.Prefix.Addr().Is4():
		return errors.New("prefix and next hop are of different families")
	}
	return nil
}

// pathID is the same in each process, so that peers recognize a path after a restart.
func pathID(hop netip.Addr) uint32 {
	h := fnv.New32a()
	h.Write(hop.AsSlice())
	return h.Sum32()
}

// wanted is what a session announces of the families for which it is asked.
func (t *rib) wanted(families []family) map[path]netip.Addr {
	want := make(map[path]netip.Addr)
	for _, f := range families {
		from := t.lowest
		if f.addPath {
			from = t.all
		}
		for p, hop := range from {
			if p.prefix.Addr().Is4() == f.v4() {
				want[p] = hop
			}
		}
	}
	return want
}

// differences are the paths to announce and to withdraw so that a peer that has one
// set has the other. Both are ordered: by next hop, so that those which share one
// share messages, and by prefix.
func differences(has, want map[path]netip.Addr) (announce, withdraw []path) {
	for p, hop := range want {
		if has[p] != hop {
			announce = append(announce, p)
		}
	}
	for p := range has {
		if _, ok := want[p]; !ok {
			withdraw = append(withdraw, p)
		}
	}
	slices.SortFunc(announce, func(a, b path) int {
		if c := want[a].Compare(want[b]); c != 0 {
			return c
		}
		return a.compare(b)
	})
	slices.SortFunc(withdraw, path.compare)
	return announce, withdraw
}

func (p path) compare(q path) int {
	if c := p.prefix.Compare(q.prefix); c != 0 {
		return c
	}
	return int(int64(p.id) - int64(q.id))
}

// prefixes counts the prefixes of a set of paths.
func prefixes(set map[path]netip.Addr) int {
	seen := make(map[netip.Prefix]struct{}, len(set))
	for p := range maps.Keys(set) {
		seen[p.prefix] = struct{}{}
	}
	return len(seen)
}
