package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"github.com/dovetail-sdn/dovetail/openflow"
)

func message(t *testing.T, b []byte) openflow.Message {
	t.Helper()
	m, err := openflow.ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func addFlows(t *testing.T, source string, ports ...uint64) []openflow.Entry {
	t.Helper()
	var flows []openflow.Flow
	for _, p := range ports {
		flows = append(flows, openflow.Flow{Table: 1, Priority: 5, Match: openflow.Match{openflow.InPort.Uint(p)}})
	}
	entries, err := openflow.Seal(source, flows)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestTablesUndo: what a refused bundle did is undone, the replaced and the deleted
// flows are back, and cookies still find them.
func TestTablesUndo(t *testing.T) {
	tab := newTables(newPool())
	entries := addFlows(t, "a", 1, 2, 3)
	for _, e := range entries {
		tab.apply(message(t, e.Add))
	}
	before := tab.state()
	var undo []func()
	for _, b := range [][]byte{addFlows(t, "b", 1)[0].Add, openflow.Delete(entries[1].ID), openflow.DeleteFlow(1, entries[2].ID.Cookie)} {
		u, refused := tab.apply(message(t, b))
		if refused != (ofError{}) {
			t.Fatal(refused)
		}
		undo = append(undo, u)
	}
	if len(tab.flows) != 1 {
		t.Fatalf("%d flows are left, not the replaced one alone", len(tab.flows))
	}
	for i := len(undo) - 1; i >= 0; i-- {
		undo[i]()
	}
	if !maps.Equal(before, tab.state()) {
		t.Errorf("after undo: %v, before %v", tab.state(), before)
	}
	for _, e := range entries {
		tab.apply(message(t, openflow.Delete(e.ID)))
	}
	if len(tab.flows)+len(tab.cookies)+len(tab.more) != 0 {
		t.Errorf("left: %d flows, %d cookies, %d more", len(tab.flows), len(tab.cookies), len(tab.more))
	}
}

// TestTransact: names of rows may be used before their insert, rows without a
// reference go, and a transaction that fails changes nothing.
func TestTransact(t *testing.T) {
	h := newHost(NewFleet(Config{}), "h", netip.MustParseAddr("192.0.2.1"))
	transact := func(ops string) []any {
		var params []json.RawMessage
		if err := json.Unmarshal([]byte(ops), &params); err != nil {
			t.Fatal(err)
		}
		results, changes := h.db.transact(params)
		h.commit(changes)
		return results
	}
	root := fmt.Sprintf(`[["_uuid","==",["uuid",%q]]]`, h.db.root)
	transact(`[{"op":"mutate","table":"Open_vSwitch","where":` + root + `,"mutations":[["bridges","insert",["set",[["named-uuid","br"]]]]]},
		{"op":"insert","table":"Bridge","uuid-name":"br","row":{"name":"br-int","other_config":["map",[["datapath-id","00000000000000ab"]]],"ports":["named-uuid","p"]}},
		{"op":"insert","table":"Port","uuid-name":"p","row":{"name":"x","interfaces":["named-uuid","i"]}},
		{"op":"insert","table":"Interface","uuid-name":"i","row":{"name":"x","ofport_request":7}},
		{"op":"insert","table":"Port","row":{"name":"nobody's"}}]`)
	if _, i, ok := h.db.find("Interface", "x"); !ok || i["ofport"].number() != 7 {
		t.Errorf("interface x: %v", i)
	}
	if _, br, _ := h.bridge(); br["datapath_id"].text() != "00000000000000ab" || h.wish.dpid != 0xab {
		t.Errorf("bridge: %v", br)
	}
	if len(h.db.tables["Port"]) != 1 {
		t.Errorf("%d ports: the one that no bridge has should be gone", len(h.db.tables["Port"]))
	}
	results := transact(`[{"op":"update","table":"Open_vSwitch","where":` + root + `,"row":{"bridges":["set",[]]}},
		{"op":"wait","table":"Open_vSwitch","where":` + root + `,"until":"==","columns":["next_cfg"],"rows":[{"next_cfg":9}]}]`)
	if r, ok := results[1].(*refusal); !ok || r.Name != "timed out" || len(h.db.tables["Bridge"]) != 1 {
		t.Errorf("a failed transaction: %v, %d bridges", results, len(h.db.tables["Bridge"]))
	}
	transact(`[{"op":"mutate","table":"Open_vSwitch","where":` + root + `,"mutations":[["bridges","delete",["set",[["uuid",` +
		fmt.Sprintf("%q", func() ref { u, _, _ := h.bridge(); return u }()) + `]]]],["next_cfg","+=",1]]}]`)
	if n := len(h.db.tables["Bridge"]) + len(h.db.tables["Port"]) + len(h.db.tables["Interface"]); n != 0 {
		t.Errorf("%d rows are left of a bridge that was removed", n)
	}
	if h.db.tables["Open_vSwitch"][h.db.root]["cur_cfg"].number() != 1 {
		t.Error("the switch did not take note of next_cfg")
	}
}
