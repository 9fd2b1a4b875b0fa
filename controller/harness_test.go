package controller

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/ofctrl"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/ovsdb"
	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
	"github.com/rs/zerolog"
)

// fakeSwitches stands in for the OpenFlow server: it keeps the plans, and
// acknowledges what a test tells it to.
type fakeSwitches struct {
	plans   map[uint64][]*ofctrl.Feed
	acked   map[uint64]map[*ofctrl.Feed]uint64
	packets []sentPacket
	// counted is what each flow of a switch says to have counted; a switch that is not in it is
	// not connected, and one that has 0 never answers.
	counted map[uint64]uint64
	asked   atomic.Int64 // how many questions there were
}

type sentPacket struct {
	dpid    uint64
	actions []openflow.Action
	data    []byte
}

func newFakeSwitches() *fakeSwitches {
	return &fakeSwitches{plans: map[uint64][]*ofctrl.Feed{}, acked: map[uint64]map[*ofctrl.Feed]uint64{}}
}

func (s *fakeSwitches) SetPlan(dpid uint64, _ string, feeds []*ofctrl.Feed) { s.plans[dpid] = feeds }

func (s *fakeSwitches) Forget(dpid uint64) { delete(s.plans, dpid) }

func (s *fakeSwitches) Acked(dpid uint64, f *ofctrl.Feed) (uint64, bool) {
	if s.acked[dpid] == nil || !slices.Contains(s.plans[dpid], f) {
		return 0, false
	}
	return s.acked[dpid][f], true
}

func (s *fakeSwitches) PacketOut(dpid uint64, _ uint32, a []openflow.Action, data []byte) error {
	s.packets = append(s.packets, sentPacket{dpid, a, data})
	return nil
}

func (s *fakeSwitches) FlowStats(ctx context.Context, dpid uint64, q openflow.FlowQuery) ([]openflow.FlowStat, error) {
	s.asked.Add(1)
	n, ok := s.counted[dpid]
	switch {
	case q.CookieMask != 0xffffffff<<32:
		return nil, fmt.Errorf("flows of more than one source are asked for: %+v", q)
	case !ok:
		return nil, fmt.Errorf("switch %d: %w", dpid, ofctrl.ErrNotConnected)
	case n == 0:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var stats []openflow.FlowStat
	for _, f := range s.plans[dpid] {
		for _, e := range f.Entries() {
			if e.ID.Kind != openflow.EntryFlow || !q.Selects(e.ID) {
				continue
			}
			m, err := openflow.NewReader(bytes.NewReader(e.Add)).Next()
			if err != nil {
				return nil, err
			}
			mod, err := openflow.DecodeFlowMod(m)
			if err != nil {
				return nil, err
			}
			stats = append(stats, openflow.FlowStat{ID: e.ID, Packets: n, Bytes: 100 * n, Match: mod.Match, Instructions: mod.Instructions})
		}
	}
	return stats, nil
}

// world is a controller whose loop the test turns by hand.
type world struct {
	*Controller
	t        testing.TB
	sw       *fakeSwitches
	clock    time.Time
	revision int64
	stored   map[topology.Key]*topology.Binding
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, sw: newFakeSwitches(), clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), stored: map[topology.Key]*topology.Binding{}}
	w.Controller = New(Config{Log: zerolog.Nop(), Now: func() time.Time { return w.clock }})
	w.switches = w.sw
	return w
}

// turn is one round of the loop, with events of the store.
func (w *world) turn(events ...store.Event) { w.round(store.Batch{Events: events}) }

// load is a round with what the store had at start.
func (w *world) load(events ...store.Event) { w.round(store.Batch{Events: events, Initial: true}) }

func (w *world) round(b store.Batch) {
	w.revision++
	b.Revision = w.revision
	w.takeIn(b)
	w.inbox.run()
	for _, ch := range w.toStore(w.flush()) {
		w.stored[ch.Endpoint] = ch.Binding
		if ch.Binding == nil {
			delete(w.stored, ch.Endpoint)
		}
	}
	w.settleAll()
	w.sendProbes()
	w.tendNeighbours()
	w.sendAnnouncements()
	w.askInstances()
	w.tendChains()
}

// ackAll has every switch acknowledge all that it was sent.
func (w *world) ackAll() {
	for dpid := range w.sw.plans {
		w.ack(dpid)
	}
	w.turn()
}

func (w *world) ack(dpid uint64) {
	m := map[*ofctrl.Feed]uint64{}
	for _, f := range w.sw.plans[dpid] {
		m[f] = f.Seq()
	}
	w.sw.acked[dpid] = m
	w.Acked(dpid)
}

func (w *world) put(objs ...topology.Object) {
	events := make([]store.Event, len(objs))
	for i, o := range objs {
		events[i] = store.Event{After: o, Before: w.current(o.Key())}
	}
	w.turn(events...)
}

func (w *world) remove(keys ...topology.Key) {
	var events []store.Event
	for _, k := range keys {
		events = append(events, store.Event{Before: w.current(k)})
	}
	w.turn(events...)
}

func (w *world) current(k topology.Key) topology.Object {
	switch k.Kind {
	case topology.KindTenant:
		if w.model.tenants[k] != nil {
			return &topology.Tenant{Metadata: topology.Metadata{Name: k.Name}}
		}
	case topology.KindNetwork:
		if n := w.model.networks[k]; n != nil {
			return n.spec
		}
	case topology.KindRouter:
		if r := w.model.routers[k]; r != nil {
			return r.spec
		}
	case topology.KindEndpoint:
		if e := w.model.endpoints[k]; e != nil {
			return e.spec
		}
	case topology.KindHost:
		if h := w.model.hosts[k.Name]; h != nil {
			return h.spec
		}
	case topology.KindExternalNetwork:
		if x := w.model.externals[k]; x != nil {
			return x.spec
		}
	case topology.KindGateway:
		if g := w.model.gateways[k]; g != nil {
			return g.spec
		}
	case topology.KindFloatingIP:
		if f := w.model.floats[k]; f != nil {
			return f.spec
		}
	case topology.KindService:
		if s := w.model.services[k]; s != nil {
			return s.spec
		}
	case topology.KindServiceFunction:
		if f := w.model.functions[k]; f != nil {
			return f.spec
		}
	case topology.KindChain:
		if ch := w.model.chains[k]; ch != nil {
			return ch.spec
		}
	}
	return nil
}

// ports has a host report that it has the interfaces.
func (w *world) ports(host string, ids ...string) {
	ports := make([]ovsdb.Port, len(ids))
	for i, id := range ids {
		ports[i] = ovsdb.Port{Name: "p-" + id, InterfaceID: id, OFPort: ofportOf(id), LinkUp: true}
	}
	w.HostPorts(host, ports)
	w.turn()
}

// ofportOf gives each interface a number of its own.
func ofportOf(id string) uint32 {
	var n uint32
	for _, c := range id {
		n = n*31 + uint32(c)
	}
	return 10 + n%50000
}

// contents are the entries that a host's plan has, as text.
func (w *world) contents(host string) []string {
	var all []string
	for _, f := range w.sw.plans[w.model.hosts[host].spec.Allocated.DatapathID] {
		for _, e := range f.Entries() {
			all = append(all, fmt.Sprintf("%v %x", e.ID, e.Sum))
		}
	}
	slices.Sort(all)
	return all
}

func aHost(i int) *topology.Host {
	return &topology.Host{
		Metadata:  topology.Metadata{Name: fmt.Sprintf("h%d", i)},
		Allocated: topology.HostAllocation{DatapathID: uint64(i), EncapIP: netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), DatapathType: "system"},
	}
}

func aNetwork(tenant, name string, vni uint32) *topology.Network {
	cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(vni), 0, 0}), 16)
	return &topology.Network{
		Metadata: topology.Metadata{Tenant: tenant, Name: name},
		Allocated: topology.NetworkAllocation{VNI: vni, MTU: 1450, Subnets: []topology.Subnet{
			{CIDR: cidr, Gateway: netip.AddrFrom4([4]byte{10, byte(vni), 255, 254})},
		}},
	}
}

func anEndpoint(n *topology.Network, i int) *topology.Endpoint {
	base := n.Allocated.Subnets[0].CIDR.Addr().As4()
	base[2], base[3] = byte(i>>8), byte(i)
	name := fmt.Sprintf("%s-%d", n.Metadata.Name, i)
	return &topology.Endpoint{
		Metadata: topology.Metadata{Tenant: n.Metadata.Tenant, Name: name},
		Spec:     topology.EndpointSpec{Network: n.Metadata.Name},
		Allocated: topology.EndpointAllocation{
			Addresses: []netip.Addr{netip.AddrFrom4(base)}, InterfaceID: n.Metadata.Tenant + "/" + name,
			MAC: topology.MAC{2, byte(n.Allocated.VNI >> 8), byte(n.Allocated.VNI), 0, byte(i >> 8), byte(i)},
		},
	}
}

func aRouter(tenant, name string, id uint32, nets ...string) *topology.Router {
	return &topology.Router{
		Metadata:  topology.Metadata{Tenant: tenant, Name: name},
		Spec:      topology.RouterSpec{Networks: nets},
		Allocated: topology.RouterAllocation{ID: id},
	}
}
