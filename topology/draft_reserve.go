package topology

import (
	"fmt"
	"net/netip"
	"slices"
)

// This file gives out external addresses before the objects that get them are put:
// those that users chose first, then those that an object had already, then new ones.

// wishKey names one list of addresses of an object: that of a gateway, a floating
// IP, or a router at one gateway.
type wishKey struct {
	holder  Key
	gateway string // of a router
}

// wish is the external addresses that an object is to have.
type wish struct {
	wishKey
	field  string
	ext    *ExternalNetwork
	idx    *extIndex
	chosen []netip.Addr
	old    []netip.Addr
	// v4 and v6 are how many of each IP version there are to be, the chosen ones
	// included.
	v4, v6 int
	// optional: none is fine where there are no pools.
	optional bool
	got      []netip.Addr
}

func (d *Draft) reserveAddresses() error {
	var wishes []*wish
	for i := range d.steps {
		w, err := d.wishes(&d.steps[i])
		if err != nil {
			return err
		}
		wishes = append(wishes, w...)
	}
	for _, part := range []func(*wish) error{d.reserveChosen, d.reserveOld, d.reserveNew} {
		for _, w := range wishes {
			if err := part(w); err != nil {
				return err
			}
		}
	}
	d.reserved = make(map[wishKey][]netip.Addr, len(wishes))
	for _, w := range wishes {
		d.reserved[w.wishKey] = w.got
	}
	return nil
}

// wishes are those of the object that a step puts.
func (d *Draft) wishes(st *step) ([]*wish, error) {
	switch o := st.now.(type) {
	case *Gateway:
		ext := d.state.externalNamed(o.Spec.ExternalNetwork)
		if ext == nil {
			return nil, invalid(st.Key, "spec.externalNetwork", "external network %s does not exist; create it first", o.Spec.ExternalNetwork)
		}
		w := d.wish(st.Key, "", "spec.addresses", ext)
		hosts := o.laneHosts()
		w.chosen, w.v4, w.v6, w.optional = o.Spec.Addresses, len(hosts), len(hosts), true
		if old, ok := st.old.(*Gateway); ok {
			if old.Spec.ExternalNetwork != o.Spec.ExternalNetwork {
				return nil, invalid(st.Key, "spec.externalNetwork", "%s; it cannot change, and it is %s: make another gateway", o.Spec.ExternalNetwork, old.Spec.ExternalNetwork)
			}
			for _, l := range oldLanes(hosts, old) {
				if l != nil {
					w.old = append(w.old, l.Addresses...)
				}
			}
		}
		return []*wish{w}, nil
	case *Router:
		return d.routerWishes(st, o)
	case *FloatingIP:
		return d.floatingWish(st, o)
	}
	return nil, nil
}

func (d *Draft) wish(holder Key, gateway, field string, ext *ExternalNetwork) *wish {
	return &wish{wishKey: wishKey{holder, gateway}, field: field, ext: ext, idx: d.state.external(ext.Metadata.Name)}
}

func (d *Draft) routerWishes(st *step, r *Router) ([]*wish, error) {
	var list []*wish
	for i, g := range r.Spec.Gateways {
		field := fmt.Sprintf("spec.gateways[%d]", i)
		ext, err := d.externalOf(st.Key, field+".name", g.Name)
		if err != nil {
			return nil, err
		}
		w := d.wish(st.Key, g.Name, field+".addresses", ext)
		w.chosen = g.Addresses
		// IPv6 is never translated, nor are networks that are routed.
		if ext.has(true) && (len(r.Spec.Networks) == 0 || len(g.RoutedNetworks) < len(r.Spec.Networks)) {
			w.v4 = 1
		}
		if old, ok := st.old.(*Router); ok {
			if a := old.Attachment(g.Name); a != nil {
				w.old = a.Addresses
			}
		}
		list = append(list, w)
	}
	return list, nil
}

func (d *Draft) floatingWish(st *step, f *FloatingIP) ([]*wish, error) {
	ext, err := d.externalOf(st.Key, "spec.gateway", f.Spec.Gateway)
	if err != nil {
		return nil, err
	}
	w := d.wish(st.Key, "", "spec.address", ext)
	if f.Spec.Address.IsValid() {
		w.chosen = []netip.Addr{f.Spec.Address}
	} else if is4 := ext.has(true); f.Spec.EndpointAddress.Is4() || !f.Spec.EndpointAddress.IsValid() && is4 {
		w.v4 = 1
	} else {
		w.v6 = 1
	}
	if old, ok := st.old.(*FloatingIP); ok {
		if old.Spec.Gateway != f.Spec.Gateway {
			return nil, invalid(st.Key, "spec.gateway", "%s; it cannot change, and it is %s: make another floating IP", f.Spec.Gateway, old.Spec.Gateway)
		}
		w.old = []netip.Addr{old.Allocated.Address}
	}
	return []*wish{w}, nil
}

// externalOf is the external network of a gateway that an object names.
func (d *Draft) externalOf(key Key, field, gateway string) (*ExternalNetwork, error) {
	at := Key{Kind: KindGateway, Name: gateway}
	g, _ := d.state.objects[at].(*Gateway)
	for i := range d.steps {
		if st := &d.steps[i]; st.Key == at {
			g, _ = st.now.(*Gateway)
		}
	}
	if g == nil {
		return nil, invalid(key, field, "gateway %s does not exist; create it first", quoteShort(gateway))
	}
	ext := d.state.externalNamed(g.Spec.ExternalNetwork)
	if ext == nil {
		return nil, invalid(key, field, "external network %s of %s does not exist", g.Spec.ExternalNetwork, at)
	}
	return ext, nil
}

func (s *State) externalNamed(name string) *ExternalNetwork {
	x, _ := s.objects[Key{Kind: KindExternalNetwork, Name: name}].(*ExternalNetwork)
	return x
}

// has says whether the external network has a subnet of the IP version.
func (x *ExternalNetwork) has(v4 bool) bool {
	return slices.ContainsFunc(x.Spec.Subnets, func(s ExternalSubnet) bool { return s.CIDR.Addr().Is4() == v4 })
}

func (d *Draft) take(w *wish, a netip.Addr) {
	w.got = append(w.got, a)
	w.idx.take(a, w.holder)
	idx, holder := w.idx, w.holder
	d.undo = append(d.undo, func() { idx.release(a, holder) })
}

// has is how many addresses of the IP version the wish has got.
func (w *wish) has(v4 bool) int {
	n := 0
	for _, a := range w.got {
		if a.Is4() == v4 {
			n++
		}
	}
	return n
}

func (d *Draft) reserveChosen(w *wish) error {
	for i, a := range w.chosen {
		field := w.field
		if w.holder.Kind != KindFloatingIP {
			field = fmt.Sprintf("%s[%d]", w.field, i)
		}
		if reason := externalAddress(w.ext, a); reason != "" {
			return invalid(w.holder, field, "%s", reason)
		}
		if holder, taken := w.idx.addresses[a]; taken {
			return conflict(w.holder, field, holder, "%s is taken in %s; choose another, or leave it out to have one allocated", a, w.ext.Key())
		}
		d.take(w, a)
	}
	return nil
}

// externalAddress says why nobody can have the address in the external network,
// or "".
func externalAddress(x *ExternalNetwork, a netip.Addr) string {
	s := x.subnetFor(a)
	if s == nil {
		return fmt.Sprintf("%s is in no subnet of %s", a, x.Key())
	}
	if slices.Contains(s.NextHops, a) {
		return fmt.Sprintf("%s is a next hop of %s", a, s.CIDR)
	}
	return notForHosts(s.CIDR, a)
}

func (d *Draft) reserveOld(w *wish) error {
	for _, a := range w.old {
		_, taken := w.idx.addresses[a]
		if !taken && w.lacks(a.Is4()) > 0 && externalAddress(w.ext, a) == "" {
			d.take(w, a)
		}
	}
	return nil
}

func (w *wish) lacks(v4 bool) int {
	if v4 {
		return w.v4 - w.has(true)
	}
	return w.v6 - w.has(false)
}

func (d *Draft) reserveNew(w *wish) error {
	for _, v4 := range []bool{true, false} {
		for w.lacks(v4) > 0 {
			a, pools := d.freeExternal(w, v4)
			switch {
			case a.IsValid():
				d.take(w, a)
			case !pools && w.optional:
				w.drop(v4)
			case !pools:
				return invalid(w.holder, w.field, "%s has no pool of %s addresses: choose an address, or give one of its subnets pools", w.ext.Key(), ipVersion(v4))
			default:
				return invalid(w.holder, w.field, "all %s addresses in the pools of %s are taken; add a pool, or choose an address", ipVersion(v4), w.ext.Key())
			}
		}
	}
	return nil
}

func (w *wish) drop(v4 bool) {
	if v4 {
		w.v4 = 0
	} else {
		w.v6 = 0
	}
}

// freeExternal is a free address of the IP version; pools says whether there are
// pools of it at all.
func (d *Draft) freeExternal(w *wish, v4 bool) (a netip.Addr, pools bool) {
	for _, s := range w.ext.Spec.Subnets {
		if s.CIDR.Addr().Is4() != v4 {
			continue
		}
		pools = pools || len(s.Pools) > 0
		if a, ok := w.idx.free(s); ok {
			return a, true
		}
	}
	return netip.Addr{}, pools
}
