package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// Host is a simulated host. Its methods are safe for concurrent use.
type Host struct {
	Name string
	VTEP netip.Addr

	fleet           *Fleet
	wake            chan struct{} // one slot: wish has changed
	traffic         traffic
	ovsdb, openFlow connection

	mu     sync.Mutex // guards the rest
	db     *database
	tables *tables
	wish   wish       // what the switch has to do
	ovs    *ovsdbConn // nil while not connected
	slow   time.Duration
	ports  int
}

// wish is which controller a switch is to connect to, and as whom.
type wish struct {
	target string // empty for none
	dpid   uint64
}

// connection is the current one of several.
type connection struct {
	mu   sync.Mutex
	conn net.Conn
}

func (c *connection) set(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
}

func (c *connection) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.Close()
	}
}

func newHost(f *Fleet, name string, vtep netip.Addr) *Host {
	return &Host{
		Name: name, VTEP: vtep, fleet: f, wake: make(chan struct{}, 1), tables: newTables(f.pool),
		db: newDatabase(map[string]string{"system-id": name, "hostname": name, "dovetail-encap-ip": vtep.String()}),
	}
}

// run keeps both connections until ctx ends.
func (h *Host) run(ctx context.Context) {
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() { h.runOVSDB(ctx) })
	both.Go(func() { h.runSwitches(ctx) })
}

// runSwitches runs one switch after the other, as wish says.
func (h *Host) runSwitches(ctx context.Context) {
	var running wish
	stop := func() {}
	defer func() { stop() }()
	for {
		h.mu.Lock()
		w, t := h.wish, h.tables
		h.mu.Unlock()
		if w != running {
			stop()
			running = w
			stop = h.start(ctx, w, t)
		}
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		}
	}
}

func (h *Host) start(ctx context.Context, w wish, t *tables) (stop func()) {
	if w.target == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { h.runSwitch(ctx, w.target, w.dpid, t) })
	return func() {
		cancel()
		done.Wait()
	}
}

// backoff is the time until a connection is tried again: about a second, as
// Open vSwitch is told to.
func (h *Host) backoff() time.Duration { return 500*time.Millisecond + rand.N(time.Second) }

// commit makes changes, lets the switch follow them, and tells who watches. It
// needs mu.
func (h *Host) commit(changes []delta) {
	h.tell(changes)
	e := h.db.edit()
	h.follow(e)
	h.tell(e.commit())
}

func (h *Host) tell(changes []delta) {
	if h.ovs != nil && len(changes) > 0 {
		h.ovs.update(changes)
	}
}

const (
	integrationBridge = "br-int"
	localPort         = 65534
	firstPort         = 100
	plainMTU          = 1500
)

// follow does what ovs-vswitchd does about the rows. It needs mu.
func (h *Host) follow(e *edit) {
	root, _ := e.get("Open_vSwitch", h.db.root)
	if n := root["next_cfg"]; !n.equal(root["cur_cfg"]) {
		_ = e.set("Open_vSwitch", h.db.root, row{"cur_cfg": n})
	}
	w := wish{}
	if u, br, ok := h.bridge(); ok {
		w = h.followBridge(e, u, br)
	}
	if w.dpid != h.wish.dpid {
		h.tables = newTables(h.fleet.pool) // another bridge, or none
	}
	if w != h.wish {
		h.wish = w
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

func (h *Host) bridge() (ref, row, bool) { return h.db.find("Bridge", integrationBridge) }

func (h *Host) followBridge(e *edit, u ref, br row) wish {
	id := br["other_config"].pairs["datapath-id"]
	if br["datapath_id"].text() != id {
		_ = e.set("Bridge", u, row{"datapath_id": atom(id)})
	}
	for _, p := range br["ports"].rows() {
		for _, i := range h.db.tables["Port"][p]["interfaces"].rows() {
			if iface := h.db.tables["Interface"][i]; iface["ofport"].number() == 0 {
				_ = e.set("Interface", i, h.built(iface))
			}
		}
	}
	w := wish{}
	w.dpid, _ = strconv.ParseUint(id, 16, 64)
	for _, c := range br["controller"].rows() {
		if target, err := openFlowTarget(h.db.tables["Controller"][c]["target"].text()); err == nil {
			w.target = target
		}
	}
	return w
}

// built is what the switch reports of an interface that it has added.
func (h *Host) built(iface row) row {
	port := iface["ofport_request"].number()
	switch {
	case iface["name"].text() == integrationBridge:
		port = localPort
	case port == 0:
		h.ports++
		port = firstPort + h.ports
	}
	r := row{"ofport": atom(float64(port)), "link_state": atom("up")}
	if iface["type"].text() != "vxlan" {
		r["mtu"] = atom(float64(plainMTU))
	}
	return r
}

var errNoBridge = errors.New("the host has no bridge " + integrationBridge + " yet")

// AddPorts adds ports for endpoints to the integration bridge, in one transaction.
func (h *Host) AddPorts(interfaceIDs ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	u, br, ok := h.bridge()
	if !ok {
		return fmt.Errorf("adding ports to %s: %w", h.Name, errNoBridge)
	}
	e := h.db.edit()
	ports := br["ports"]
	for _, id := range interfaceIDs {
		h.ports++
		name := "p" + strconv.Itoa(h.ports)
		i, p := newRef(), newRef()
		if err := errors.Join(
			e.insert("Interface", i, row{"name": atom(name), "type": atom("internal"), "external_ids": dict(map[string]string{"iface-id": id})}),
			e.insert("Port", p, row{"name": atom(name), "interfaces": refs(i)}),
		); err != nil {
			return err
		}
		ports = ports.with(p)
	}
	if err := e.set("Bridge", u, row{"ports": ports}); err != nil {
		return err
	}
	h.commit(e.commit())
	return nil
}

// RemovePorts removes the ports of endpoints.
func (h *Host) RemovePorts(interfaceIDs ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	u, br, ok := h.bridge()
	if !ok {
		return fmt.Errorf("removing ports from %s: %w", h.Name, errNoBridge)
	}
	gone := value{}
	for _, p := range br["ports"].rows() {
		for _, i := range h.db.tables["Port"][p]["interfaces"].rows() {
			if id, ok := h.db.tables["Interface"][i]["external_ids"].pairs["iface-id"]; ok && slices.Contains(interfaceIDs, id) {
				gone.atoms = append(gone.atoms, p)
			}
		}
	}
	e := h.db.edit()
	if err := e.set("Bridge", u, row{"ports": br["ports"].without(gone)}); err != nil {
		return err
	}
	h.commit(e.commit())
	return nil
}

// DeleteBridge removes the integration bridge, as an operator might by mistake.
func (h *Host) DeleteBridge() {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.db.edit()
	_ = e.set("Open_vSwitch", h.db.root, row{"bridges": set()})
	h.commit(e.commit())
}

// Cut ends both connections of the host, which comes back after a moment.
func (h *Host) Cut() {
	h.ovsdb.cut()
	h.openFlow.cut()
}

// Slow makes the switch take this long for every OpenFlow message.
func (h *Host) Slow(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow = d
}

func (h *Host) stall() {
	h.mu.Lock()
	d := h.slow
	h.mu.Unlock()
	if d > 0 {
		time.Sleep(d)
	}
}

// State is every flow, group and meter that the switch has, with its Sum, which
// is comparable to openflow.Entry.Sum.
func (h *Host) State() map[openflow.ID]uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tables.state()
}

// Lose empties the tables of the switch, as a restart of ovs-vswitchd does, and
// ends its connection.
func (h *Host) Lose() {
	h.mu.Lock()
	fresh := newTables(h.fleet.pool)
	*h.tables = *fresh
	h.mu.Unlock()
	h.openFlow.cut()
}

// Flows is the number of flows that the switch has.
func (h *Host) Flows() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.tables.flows)
}

// Traffic is what the host's switch was sent since the fleet began.
func (h *Host) Traffic() Traffic {
	return Traffic{h.traffic.sessions.Load(), h.traffic.flowMods.Load(), h.traffic.bytes.Load()}
}
