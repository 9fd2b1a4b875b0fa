package ovsdb

import (
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// planController keeps exactly one Controller row of ours on br-int. Rows of
// others stay, and are reported: their owner could change our flows.
func (p *planner) planController() {
	keep := ""
	for _, uuid := range slices.Sorted(slices.Values(p.br.Controller)) {
		row, ok := p.db.controllers.rows[uuid]
		switch {
		case !ok:
		case !owned(row.ExternalIDs) && row.Target != p.w.assign.Controller:
			p.problem(`bridge %s also has the controller %q, which can change its flows: run "ovs-vsctl remove bridge %s controller %s"`,
				BridgeName, printable(row.Target, 128), BridgeName, uuid)
		case keep == "":
			keep = uuid
		case owned(row.ExternalIDs):
			p.dropControllers = append(p.dropControllers, uuid)
			p.change("controller %q of bridge %s is no longer wanted", printable(row.Target, 128), BridgeName)
		}
	}
	want := ovsdb.Row{
		"target": p.w.assign.Controller, "max_backoff": controllerMaxBackoff, "inactivity_probe": controllerProbe,
	}
	if keep == "" {
		name := p.newName()
		want["external_ids"] = ovsMap(ownerMark())
		p.add(opInsert("Controller", name, want))
		p.addControllers = []string{name}
		if p.haveBridge {
			p.change("controller of bridge %s was missing", BridgeName)
		}
		return
	}
	row := p.db.controllers.rows[keep]
	if row.Target != p.w.assign.Controller {
		p.change("controller of bridge %s was %q", BridgeName, printable(row.Target, 128))
	} else {
		delete(want, "target")
	}
	if row.MaxBackoff == controllerMaxBackoff && row.InactivityProbe == controllerProbe {
		delete(want, "max_backoff")
		delete(want, "inactivity_probe")
	} else {
		p.change("timers of the controller of bridge %s were changed", BridgeName)
	}
	if len(want) > 0 {
		p.add(opUpdate("Controller", keep, want))
	}
	p.ensureOwner("Controller", keep, row.ExternalIDs)
}

// ensureOwner marks a row as ours.
func (p *planner) ensureOwner(table, uuid string, ids strMap) {
	if !owned(ids) {
		p.add(opMutate(table, uuid, setKeys("external_ids", ownerMark())...))
		p.change("a row in table %s had lost its owner", table)
	}
}
