package ovsdb

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sdn/dovetail/internal/ovstest"
)

// planTester applies plans to a real ovsdb-server, without a switch.
type planTester struct {
	t    testing.TB
	h    *ovstest.Host
	peer *peer
	db   replica
}

func newPlanTester(t testing.TB) *planTester {
	t.Helper()
	p := &planTester{t: t, h: ovstest.Start(t)}
	conn, err := net.Dial("unix", strings.TrimPrefix(p.h.DB, "unix:"))
	if err != nil {
		t.Fatal(err)
	}
	p.peer = newPeer(conn, peerConfig{
		echoInterval: testPatience, messageTimeout: testPatience, writeTimeout: testPatience,
		maxBytes: maxMessageBytes, maxDepth: maxMessageDepth,
		notify: func(string, json.RawMessage) error { return nil },
	})
	done := make(chan error, 1)
	go func() { done <- p.peer.readLoop() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return p
}

func (p *planTester) call(method string, params []any, onReply func(json.RawMessage) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testPatience)
	defer cancel()
	if err := p.peer.call(ctx, method, params, onReply); err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
}

// load reads the database as it is now.
func (p *planTester) load() {
	p.t.Helper()
	p.db = replica{}
	p.call("monitor", []any{database, "m", monitorRequest}, p.db.apply)
	p.call("monitor_cancel", []any{"m"}, nil)
}

func (p *planTester) apply(pl plan) error {
	params := []any{database}
	for _, op := range pl.ops {
		params = append(params, op)
	}
	var refused error
	p.call("transact", params, func(b json.RawMessage) error {
		var results []opResult
		if err := json.Unmarshal(b, &results); err != nil {
			return err
		}
		refused = checkResults(results, pl.ops)
		return nil
	})
	return refused
}

// foreignRows are the rows without our mark, those of br-int but for what a
// bridge of ours must be.
func foreignRows(db *replica) map[string]bool {
	rows := map[string]bool{}
	add := func(table, uuid string, row any) { rows[fmt.Sprintf("%s %s %+v", table, uuid, row)] = true }
	for u, r := range db.controllers.rows {
		if !owned(r.ExternalIDs) && r.Target != "tcp:192.0.2.9:6653" {
			add("Controller", u, r)
		}
	}
	for u, r := range db.ports.rows {
		if !owned(r.ExternalIDs) {
			add("Port", u, r)
			for _, i := range r.Interfaces {
				add("Interface", i, db.interfaces.rows[i])
			}
		}
	}
	for u, r := range db.bridges.rows {
		if r.Name != BridgeName {
			r.Ports = nil // ours come and go among them
			add("Bridge", u, r)
		}
	}
	return rows
}

// TestPlanConverges: from any state that an operator, an older wish or somebody
// else can have left, one transaction that the database accepts leads to the
// wish, the next plan is empty, and rows of others are as they were.
func TestPlanConverges(t *testing.T) {
	p := newPlanTester(t)
	patch, _ := PatchPorts("ext", "br-ex")
	disturbances := []string{
		"--if-exists del-br br-int", "--may-exist add-br br-int", "--may-exist add-br br-ex", "--if-exists del-br br-ex",
		"--may-exist add-br br-dmz", "--if-exists del-port dv-vxlan0", "--if-exists del-port br-int br-int",
		"--may-exist add-port br-int vm1 -- set interface vm1 external_ids:iface-id=x",
		"--may-exist add-port br-ex eth0", "--may-exist add-port br-ex dv-other",
		"set-controller br-ex tcp:127.0.0.1:2", "set-controller br-int tcp:192.0.2.9:6653", "set-controller br-int tcp:127.0.0.1:3",
		"del-controller br-int", "set-fail-mode br-int standalone", "set bridge br-int datapath_type=netdev",
		"set bridge br-ex datapath_type=netdev", "set bridge br-int protocols=OpenFlow10,OpenFlow15",
		"set bridge br-int other_config:datapath-id=0000000000000007", "clear bridge br-int external_ids",
		"set interface dv-vxlan0 options:key=9", "set interface dv-vxlan0 type=gre", "clear interface dv-vxlan0 external_ids",
		"clear port dv-vxlan0 external_ids", "set port dv-vxlan0 external_ids:more=1",
		"--id=@c create controller target=\"tcp:127.0.0.1:8\" external_ids:dovetail-owner=dovetail -- add bridge br-int controller @c",
		"--id=@i create interface name=extra -- add port dv-vxlan0 interfaces @i",
		"--may-exist add-port br-int dv-l2", "--if-exists del-port dv-l1", "set interface dv-l1 bfd:enable=false",
		"clear interface dv-l1 bfd", "set interface dv-l1 bfd:mult=9", "set interface dv-l1 options:remote_ip=192.0.2.77",
		"set interface dv-vxlan0 bfd:enable=true", "set interface dv-tick0 cfm_mpid=7", "clear interface dv-tick0 cfm_mpid",
		"set interface dv-tick1 cfm_mpid=7", "clear interface dv-tick0 other_config", "set interface dv-tick0 other_config:cfm_demand=true",
		"clear interface dv-tick1 ofport_request", "--if-exists del-port dv-tick1", "clear interface " + patch + " ofport_request",
	}
	// Whether a command fits the state is no matter: what it refuses is no state.
	disturb := func(args string) {
		_ = p.h.TryVsctl(strings.Fields(args)...)
	}
	w := wish{assign: Assignment{DatapathID: 42, Controller: "tcp:192.0.2.9:6653"}}
	w.info.DatapathType = defaultDatapathType
	rapid.Check(t, func(r *rapid.T) {
		for _, d := range rapid.SliceOfN(rapid.SampledFrom(disturbances), 0, 5).Draw(r, "disturbances") {
			disturb(d)
		}
		w.info.EncapIP, _ = encapIP(rapid.SampledFrom([]string{"192.0.2.1", "2001:db8::1"}).Draw(r, "encap"))
		w.info.BridgeMappings = rapid.SampledFrom([]map[string]string{
			nil, {"ext": "br-ex"}, {"ext": "br-dmz"}, {"ext": "br-ex", "dmz": "br-dmz", "gone": "br-gone"},
		}).Draw(r, "mappings")
		w.assign.Links = rapid.SampledFrom([]Links{
			{}, {Tick: true}, {Tunnels: tunnelsTo("192.0.2.2")}, {Tunnels: tunnelsTo("192.0.2.2", "2001:db8::2"), Tick: true},
			{Tunnels: []Tunnel{{ID: 1}, {ID: 10001, Remote: netip.MustParseAddr("192.0.2.2")}}},
		}).Draw(r, "links")
		p.load()
		before := foreignRows(&p.db)
		pl := makePlan(&p.db, w)
		if pl.blocked {
			if len(pl.ops) > 0 || len(pl.problems) == 0 {
				r.Fatalf("blocked, but %d operations and problems %q", len(pl.ops), pl.problems)
			}
			disturb("del-br br-int")
			return
		}
		if (len(pl.ops) == 0) != (len(pl.changes) == 0) {
			r.Fatalf("%d operations for changes %q", len(pl.ops), pl.changes)
		}
		if len(pl.ops) > 0 {
			if err := p.apply(pl); err != nil {
				r.Fatalf("changes %q refused: %v", pl.changes, err)
			}
		}
		p.load()
		if again := makePlan(&p.db, w); len(again.ops) > 0 {
			r.Fatalf("after %q the plan is still %q", pl.changes, again.changes)
		}
		after := foreignRows(&p.db)
		for row := range before {
			// A bridge that is taken over brings its local port along.
			if !after[row] {
				r.Fatalf("%q changed a foreign row: %s", pl.changes, row)
			}
		}
		if len(pl.problems) > 0 { // do not let them pile up
			disturb("--if-exists del-port dv-vxlan0")
			disturb("--if-exists del-port dv-l2")
			disturb("set-controller br-int tcp:192.0.2.9:6653")
		}
	})
}

// TestGuardedAdoption: a bridge that got a controller between the look and the
// transaction is left alone.
func TestGuardedAdoption(t *testing.T) {
	p := newPlanTester(t)
	p.h.Vsctl("add-br", "br-int")
	p.load()
	w := wish{assign: Assignment{DatapathID: 42, Controller: "tcp:192.0.2.9:6653"}}
	w.info.EncapIP, _ = encapIP("192.0.2.1")
	pl := makePlan(&p.db, w)
	p.h.Vsctl("set-controller", "br-int", "tcp:127.0.0.1:3")
	before := p.h.Dump()
	if err := p.apply(pl); err == nil || !strings.Contains(err.Error(), "wait in table Bridge") {
		t.Errorf("the transaction was not refused by its guard: %v", err)
	}
	if p.h.Dump() != before {
		t.Error("rows were changed")
	}
}
