package topology

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// snapshot is all of a State that can be seen, as text.
func snapshot(s *State) string {
	var b strings.Builder
	for _, kind := range Kinds() {
		for _, o := range s.List(kind, "") {
			j, err := json.Marshal(o)
			fmt.Fprintf(&b, "%s %v\n", j, err)
		}
	}
	fmt.Fprintln(&b, len(s.objects), s.vnis.holder, s.routerIDs.holder, s.interfaces, s.datapaths)
	for _, k := range slices.SortedFunc(maps.Keys(s.networks), compareKeys) {
		n := s.networks[k]
		fmt.Fprintln(&b, k, n.router, n.endpoints, n.macs, len(n.addresses))
		for _, a := range slices.SortedFunc(maps.Keys(n.addresses), netip.Addr.Compare) {
			fmt.Fprintln(&b, a, n.addresses[a])
		}
	}
	fmt.Fprintln(&b, s.externalIDs.holder, s.gatewayIDs.holder, s.zones.holder, s.gatewayUse, s.floating)
	fmt.Fprintln(&b, s.hostIDs.holder, s.atGateway, s.whole)
	fmt.Fprintln(&b, s.functionIDs.holder, s.chainIDs.holder)
	for _, k := range slices.SortedFunc(maps.Keys(s.functions), compareKeys) {
		f := s.functions[k]
		fmt.Fprintln(&b, k, f.chains, f.routers, f.vlans.holder)
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.chainsOf), compareKeys) {
		fmt.Fprintln(&b, k, *s.chainsOf[k])
	}
	var claims []string
	for c, holder := range s.claims {
		claims = append(claims, fmt.Sprintln(c.as, c.of, c.gateway, c.address, c.protocol, c.port, holder))
	}
	slices.Sort(claims)
	fmt.Fprint(&b, claims)
	for _, name := range slices.Sorted(maps.Keys(s.externals)) {
		x := s.externals[name]
		fmt.Fprintln(&b, name, x.gateways, x.services)
		fmt.Fprint(&b, x.routed.shape())
		for _, a := range slices.SortedFunc(maps.Keys(x.addresses), netip.Addr.Compare) {
			fmt.Fprintln(&b, a, x.addresses[a])
		}
	}
	return b.String()
}

// Random changes, valid and not: after each, the indexes say the same as the
// objects, a refused set leaves no trace, and the whole intent could be applied at
// once to an empty State.
func TestRandomChangesKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, follower := NewState(), NewState()
		if rapid.Bool().Draw(t, "begun") {
			begin(t, s) // most random changes would be refused for want of these
			for _, kind := range Kinds() {
				for _, o := range s.List(kind, "") {
					follower.Put(o)
				}
			}
		}
		rev := int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "sets") {
			changes := rapid.SliceOfN(rapid.Custom(drawChange), 1, 6).Draw(t, "changes")
			before := snapshot(s)
			d, err := s.Try(changes, testEnv)
			if err == nil && rapid.IntRange(0, 4).Draw(t, "undo") == 0 {
				d.Undo()
				d, err = nil, fmt.Errorf("undone")
			}
			if err != nil {
				if after := snapshot(s); after != before {
					t.Fatalf("%v: left a trace\n%s\nbefore:\n%s", err, after, before)
				}
				continue
			}
			rev++
			for _, e := range d.Edits {
				if e.After != nil {
					e.After.Meta().Revision = rev
				}
			}
			check(t, s)
			follower.Apply(d.Edits)
			if a, b := snapshot(s), snapshot(follower); a != b {
				t.Fatalf("the edits lead elsewhere:\n%s\nwant:\n%s", b, a)
			}
		}
	})
}

func drawChange(t *rapid.T) Change {
	tenant := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "tenant")
	name := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "name")
	meta := Metadata{Name: name, Tenant: tenant}
	subnets := []string{"10.0.0.0/29", "10.0.0.0/30", "10.0.0.8/29", "fd00::/126", "fd00::4/126", "fd00::/125", "2001:db8::4/126"}
	var o Object
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		o = &Tenant{Metadata: Metadata{Name: tenant}}
	case 1:
		n := &Network{Metadata: meta}
		n.Spec.VNI = rapid.Uint32Range(0, 3).Draw(t, "vni")
		for _, c := range rapid.SliceOfNDistinct(rapid.SampledFrom(subnets), 0, 2, rapid.ID).Draw(t, "subnets") {
			n.Spec.Subnets = append(n.Spec.Subnets, Subnet{CIDR: netip.MustParsePrefix(c)})
		}
		o = n
	case 2:
		r := &Router{Metadata: meta}
		r.Spec.Networks = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 2, rapid.ID).Draw(t, "networks")
		if rapid.Bool().Draw(t, "route") {
			r.Spec.StaticRoutes = []StaticRoute{{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.0.0.3")}}
		}
		o = r
	case 3:
		e := &Endpoint{Metadata: meta, Spec: EndpointSpec{Network: rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "network")}}
		if rapid.Bool().Draw(t, "chosen") {
			e.Spec.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, rapid.ByteMax(12).Draw(t, "address")})}
		}
		e.Spec.MAC[5] = rapid.ByteMax(2).Draw(t, "mac")
		e.Spec.InterfaceID = rapid.SampledFrom([]string{"", "i1", "i2"}).Draw(t, "id")
		o = e
	case 4:
		o = &Host{Metadata: Metadata{Name: name}}
	case 5, 6:
		return drawChained(t)
	default:
		o = drawExternal(t, meta)
	}
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		return Change{Op: OpDelete, Key: o.Key()}
	}
	return Change{Key: o.Key(), Object: o}
}

// check builds a second State from the objects of the first; both must agree, and
// the objects must be acceptable as a whole.
func check(t *rapid.T, s *State) {
	rebuilt, fresh := NewState(), NewState()
	var all []Change
	for _, kind := range Kinds() {
		for _, o := range s.List(kind, "") {
			rebuilt.Put(o)
			if e, ok := o.(*Endpoint); ok && len(e.Allocated.Addresses) == 0 {
				continue // its network had no subnets when it was put
			}
			if f, ok := o.(*FloatingIP); ok && slices.ContainsFunc(f.Endpoints(), func(k Key) bool {
				return len(s.Get(k).(*Endpoint).Allocated.Addresses) == 0
			}) {
				continue
			}
			c := o.Clone()
			switch c := c.(type) {
			case *Network:
				c.Spec.VNI = c.Allocated.VNI
			case *Endpoint:
				c.Spec.Addresses, c.Spec.MAC = c.Allocated.Addresses, c.Allocated.MAC
			case *Gateway:
				c.Spec.Addresses = nil
				for _, l := range c.Allocated.Lanes {
					c.Spec.Addresses = append(c.Spec.Addresses, l.Addresses...)
				}
			case *Router:
				for i := range c.Spec.Gateways {
					c.Spec.Gateways[i].Addresses = c.Allocated.Gateways[i].Addresses
				}
			case *FloatingIP:
				c.Spec.Address = c.Allocated.Address
			case *ServiceFunction:
				c.Spec.Instances = slices.DeleteFunc(c.Spec.Instances, func(in Instance) bool { return bare(s, c, in.In) || bare(s, c, in.Out) })
			case *Chain:
				c.Spec.Priority = c.Allocated.Priority
			}
			all = append(all, Change{Key: c.Key(), Object: c})
		}
	}
	if a, b := snapshot(s), snapshot(rebuilt); a != b {
		t.Fatalf("indexes differ:\n%s\nrebuilt:\n%s", a, b)
	}
	if _, err := fresh.Try(all, testEnv); err != nil {
		t.Fatalf("the intent does not hold together: %v\n%s", err, snapshot(s))
	}
	checkToldApart(t, s)
	checkRouted(t, s)
	checkChains(t, s)
	for name, x := range s.externals {
		for r, taken := range x.pools {
			for off := range uint32(16) {
				if _, used := x.addresses[r.at(off)]; used != taken.has(off) && r.contains(r.at(off)) {
					t.Fatalf("%s: offset %d of %s: used %v", name, off, r, used)
				}
			}
		}
	}
	for key, n := range s.networks {
		for p, taken := range n.subnets {
			for off := range size(p) {
				if _, used := n.addresses[atOffset(p, off)]; used != taken.has(off) {
					t.Fatalf("%s: offset %d of %s: used %v", key, off, p, used)
				}
			}
		}
	}
}

// bare says whether an instance's endpoint is there, and has no addresses.
func bare(s *State, f *ServiceFunction, name string) bool {
	e, _ := s.Get(Key{KindEndpoint, f.Metadata.Tenant, name}).(*Endpoint)
	return e != nil && len(e.Allocated.Addresses) == 0
}

// checkToldApart checks, by comparing all with all, what State keeps indexes for.
func checkToldApart(t *rapid.T, s *State) {
	seen := map[string]Key{}
	once := func(holder Key, what ...any) {
		text := fmt.Sprintln(what...)
		if other, twice := seen[text]; twice {
			t.Fatalf("%s and %s both have %s", holder, other, text)
		}
		seen[text] = holder
	}
	for _, o := range s.List(KindHost, "") {
		once(o.Key(), "number", o.(*Host).Allocated.ID)
	}
	for _, o := range s.List(KindExternalNetwork, "") {
		if b := o.(*ExternalNetwork).Spec.BGP; b != nil {
			once(o.Key(), "peer", b.Peers[0].Address)
		}
	}
	targets := map[string]int{} // 1: ports, 2: the whole
	for _, o := range s.List(KindFloatingIP, "") {
		f := o.(*FloatingIP)
		for _, target := range f.Targets(func(k Key) *Endpoint { return s.Get(k).(*Endpoint) }) {
			once(o.Key(), f.Spec.Gateway, target.Endpoint, target.Inside, target.Protocol, target.EndpointPort)
			at := fmt.Sprintln(f.Spec.Gateway, target.Endpoint, target.Inside)
			if target.Protocol == "" {
				targets[at] |= 2
			} else {
				targets[at] |= 1
			}
			if targets[at] == 3 {
				t.Fatalf("the whole and ports of %s are reached", at)
			}
		}
	}
	for _, o := range s.List(KindService, "") {
		v := o.(*Service)
		for _, p := range v.Spec.Ports {
			once(o.Key(), "inside", v.Metadata.Tenant, v.Spec.Gateway, v.Allocated.InsideAddress, p)
			once(o.Key(), "outside", v.Metadata.Tenant, v.Spec.Gateway, v.Spec.Address, p)
		}
		for _, ro := range s.List(KindRouter, v.Metadata.Tenant) {
			r := ro.(*Router)
			if r.Attachment(v.Spec.Gateway) == nil {
				continue
			}
			for _, name := range r.Spec.Networks {
				for _, sub := range s.Get(r.NetworkKey(name)).(*Network).Allocated.Subnets {
					if sub.CIDR.Contains(v.Allocated.InsideAddress) {
						t.Fatalf("%s is reached by %s, which is in %s of %s", v.Key(), v.Allocated.InsideAddress, name, r.Key())
					}
				}
			}
		}
	}
}

// checkRouted checks, by comparing all with all, that what is routed at an external
// network is nothing else there, and that external networks have wires of their own.
func checkRouted(t *rapid.T, s *State) {
	type subnet struct {
		p      netip.Prefix
		holder Key
	}
	at := map[string][]subnet{}
	wires := map[string]Key{}
	for _, o := range s.List(KindExternalNetwork, "") {
		x := o.(*ExternalNetwork)
		wire := fmt.Sprint(x.Spec.PhysicalNetwork, " ", x.Spec.VLAN)
		if other, twice := wires[wire]; twice {
			t.Fatalf("%s and %s are both %s", o.Key(), other, wire)
		}
		wires[wire] = o.Key()
		for _, sub := range x.Spec.Subnets {
			at[x.Metadata.Name] = append(at[x.Metadata.Name], subnet{sub.CIDR, x.Key()})
		}
	}
	for _, o := range s.List(KindRouter, "") {
		r := o.(*Router)
		for _, g := range r.Spec.Gateways {
			x := s.Get(Key{Kind: KindGateway, Name: g.Name}).(*Gateway).Spec.ExternalNetwork
			for _, name := range r.Spec.Networks {
				for _, sub := range s.Get(r.NetworkKey(name)).(*Network).Allocated.Subnets {
					if sub.CIDR.Addr().Is6() || slices.Contains(g.RoutedNetworks, name) {
						at[x] = append(at[x], subnet{sub.CIDR, r.NetworkKey(name)})
					}
				}
			}
		}
	}
	for x, list := range at {
		for i, a := range list {
			for _, b := range list[:i] {
				if a.p.Overlaps(b.p) {
					t.Fatalf("at %s, %s of %s overlaps %s of %s", x, a.p, a.holder, b.p, b.holder)
				}
			}
		}
	}
	for _, o := range s.List(KindService, "") {
		v := o.(*Service)
		for _, a := range at[v.Allocated.ExternalNetwork] {
			if a.holder.Tenant == v.Metadata.Tenant && a.p.Contains(v.Spec.Address) {
				t.Fatalf("%s, at %s, is in %s of %s", v.Key(), v.Spec.Address, a.p, a.holder)
			}
		}
	}
}

// drawExternal draws an external network, or what refers to one.
func drawExternal(t *rapid.T, meta Metadata) Object {
	outside := Metadata{Name: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "outside")}
	address := func() netip.Addr {
		return netip.AddrFrom4([4]byte{192, 0, 2, rapid.ByteMax(15).Draw(t, "address")})
	}
	var chosen []netip.Addr
	if rapid.Bool().Draw(t, "chosen") {
		chosen = []netip.Addr{address()}
	}
	switch rapid.IntRange(0, 4).Draw(t, "external kind") {
	case 0:
		x := &ExternalNetwork{Metadata: outside, Spec: ExternalNetworkSpec{PhysicalNetwork: "physnet", VLAN: rapid.IntRange(0, 2).Draw(t, "vlan")}}
		for _, c := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"192.0.2.0/28", "2001:db8::/125", "10.0.0.8/30"}), 1, 2, rapid.ID).Draw(t, "subnets") {
			p := netip.MustParsePrefix(c)
			s := ExternalSubnet{CIDR: p, NextHops: []netip.Addr{firstHost(p)}}
			if rapid.IntRange(0, 3).Draw(t, "pools") > 0 {
				s.Pools = []AddressRange{{firstHost(p), atOffset(p, 5)}}
			}
			x.Spec.Subnets = append(x.Spec.Subnets, s)
		}
		if rapid.IntRange(0, 2).Draw(t, "bgp") == 0 {
			x.Spec.BGP = &BGP{ASN: 65000, Peers: []BGPPeer{{netip.AddrFrom4([4]byte{192, 0, 2, rapid.ByteRange(1, 2).Draw(t, "peer")}), 65001}}}
		}
		return x
	case 1:
		g := &Gateway{Metadata: outside, Spec: GatewaySpec{ExternalNetwork: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "network"), Addresses: chosen}}
		for _, h := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"h1", "h2", "h3"}), 1, 3, rapid.ID).Draw(t, "hosts") {
			g.Spec.Hosts = append(g.Spec.Hosts, GatewayHost{h, rapid.IntRange(0, 2).Draw(t, "weight")})
		}
		return g
	case 2:
		r := &Router{Metadata: meta}
		r.Spec.Networks = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 2, rapid.ID).Draw(t, "networks")
		for i, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p", "q"}), 1, 2, rapid.ID).Draw(t, "gateways") {
			g := RouterGateway{Name: name, Addresses: chosen, ServicesOnly: rapid.IntRange(0, 2).Draw(t, "services only") == 0}
			if i > 0 && g.ServicesOnly {
				g.Addresses = nil
			} else if i > 0 {
				g.Addresses, g.Destinations = nil, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
			}
			if !g.ServicesOnly && len(r.Spec.Networks) > 0 && rapid.Bool().Draw(t, "routed") {
				g.RoutedNetworks = r.Spec.Networks[:1]
			}
			r.Spec.Gateways = append(r.Spec.Gateways, g)
		}
		return r
	case 3:
		v := &Service{Metadata: meta, Spec: ServiceSpec{Gateway: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "gateway"), Address: netip.AddrFrom4([4]byte{203, 0, 113, rapid.ByteRange(1, 2).Draw(t, "service")})}}
		if rapid.IntRange(0, 2).Draw(t, "address of a network") == 0 {
			v.Spec.Address = netip.AddrFrom4([4]byte{10, 0, 0, rapid.ByteRange(2, 12).Draw(t, "address")})
		}
		if len(chosen) > 0 {
			v.Spec.InsideAddress = netip.AddrFrom4([4]byte{10, 0, 0, rapid.ByteRange(2, 12).Draw(t, "inside")})
		}
		for _, port := range rapid.SliceOfNDistinct(rapid.IntRange(53, 55), 1, 2, rapid.ID).Draw(t, "ports") {
			v.Spec.Ports = append(v.Spec.Ports, ServicePort{"udp", port})
		}
		return v
	}
	f := &FloatingIP{Metadata: meta, Spec: FloatingIPSpec{Gateway: rapid.SampledFrom([]string{"p", "q"}).Draw(t, "gateway")}}
	if len(chosen) > 0 {
		f.Spec.Address = chosen[0]
	}
	switch rapid.IntRange(0, 2).Draw(t, "what") {
	case 0:
		f.Spec.Endpoint = meta.Name
	case 1:
		for i, e := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y"}), 1, 2, rapid.ID).Draw(t, "endpoints") {
			f.Spec.Ports = append(f.Spec.Ports, PortForward{Protocol: "tcp", Port: 80 + i, Endpoint: e, EndpointPort: rapid.IntRange(80, 81).Draw(t, "port")})
		}
	}
	return f
}

// begin puts in what others refer to.
func begin(t *rapid.T, s *State) {
	objects, err := DecodeManifest([]byte(`
{kind: Tenant, metadata: {name: a}}
---
{kind: Network, metadata: {name: x, tenant: a}, spec: {subnets: [{cidr: 10.0.0.0/29}]}}
---
{kind: Network, metadata: {name: 'y', tenant: a}, spec: {subnets: [{cidr: 10.0.0.8/29}]}}
---
{kind: Endpoint, metadata: {name: x, tenant: a}, spec: {network: x}}
---
{kind: Endpoint, metadata: {name: 'y', tenant: a}, spec: {network: x}}
---
{kind: ExternalNetwork, metadata: {name: p}, spec: {physicalNetwork: p, subnets: [{cidr: 192.0.2.0/28, pools: [192.0.2.0/29]}]}}
---
{kind: Tenant, metadata: {name: b}}
---
{kind: Network, metadata: {name: x, tenant: b}, spec: {subnets: [{cidr: 10.0.0.0/29}, {cidr: 'fd00::/125'}]}}
---
{kind: Router, metadata: {name: x, tenant: b}, spec: {networks: [x], gateways: [{name: p}]}}
---
{kind: Gateway, metadata: {name: p}, spec: {externalNetwork: p, hosts: [{name: h1}]}}
---
{kind: Router, metadata: {name: x, tenant: a}, spec: {networks: [x], gateways: [{name: p}]}}
---
{kind: FloatingIP, metadata: {name: x, tenant: a}, spec: {gateway: p, endpoint: x}}
---
{kind: FloatingIP, metadata: {name: z, tenant: a}, spec: {gateway: p, ports: [{protocol: tcp, port: 80, endpoint: 'y'}]}}
---
{kind: Service, metadata: {name: x, tenant: a}, spec: {gateway: p, address: 203.0.113.1, insideAddress: 10.0.0.9, ports: [{protocol: udp, port: 53}]}}
`))
	var changes []Change
	for _, o := range objects {
		changes = append(changes, Change{Key: o.Key(), Object: o})
	}
	if err == nil {
		_, err = s.Try(changes, testEnv)
	}
	if err != nil {
		t.Fatal(err)
	}
}
