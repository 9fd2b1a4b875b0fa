package ovsdb

import (
	"maps"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// portSpec is a port with one interface of the same name.
type portSpec struct {
	name    string
	kind    string // Interface.type
	ofport  int    // Interface.ofport_request, on br-int; 0 for none
	options strMap // all of Interface.options
	ids     strMap // external_ids of the port, besides the owner

	bfd         strMap // all of Interface.bfd
	cfmMPID     int    // Interface.cfm_mpid, by which CFM is on; 0 for none
	otherConfig strMap // all of Interface.other_config
}

// ensurePort makes or corrects a port on a bridge ("" for a br-int that is yet to
// be made). A port of that name which is not ours stays, and is a problem.
func (p *planner) ensurePort(bridge string, s portSpec) {
	p.wanted[s.name] = true
	if s.ofport > 0 {
		p.numbers[s.name] = s.ofport
	}
	portUUID, havePort := p.x.ports[s.name]
	ifUUID, haveIf := p.x.interfaces[s.name]
	port, iface := p.db.ports.rows[portUUID], p.db.interfaces.rows[ifUUID]
	if havePort && !owned(port.ExternalIDs) || haveIf && !owned(iface.ExternalIDs) && !(havePort && owned(port.ExternalIDs)) {
		p.problem(`port %s exists and is not the controller's: run "ovs-vsctl del-port %s"`, s.name, s.name)
		return
	}
	if !havePort {
		// An interface that no port has is one of a port in the way; the
		// database removes it in the same transaction or refuses ours.
		p.insertPort(bridge, s)
		return
	}
	if at := p.x.portBridge[portUUID]; at != bridge || bridge == "" {
		if at != "" {
			p.dropPorts[at] = append(p.dropPorts[at], portUUID)
		}
		p.addPorts[bridge] = append(p.addPorts[bridge], portUUID)
		p.change("port %s was on another bridge", s.name)
	}
	p.correctIDs(portUUID, port, s)
	if !haveIf || !slices.Equal(port.Interfaces, uuidSet{ifUUID}) {
		name := p.insertInterface(s)
		p.add(opUpdate("Port", portUUID, ovsdb.Row{"interfaces": ovsRefs([]string{name})}))
		p.change("port %s had other interfaces", s.name)
		return
	}
	p.correctInterface(ifUUID, iface, s)
}

func (p *planner) insertPort(bridge string, s portSpec) {
	ifName := p.insertInterface(s)
	name := p.newName()
	ids := ownerMark()
	maps.Copy(ids, s.ids)
	p.add(opInsert("Port", name, ovsdb.Row{
		"name": s.name, "interfaces": ovsRefs([]string{ifName}), "external_ids": ovsMap(ids),
	}))
	p.addPorts[bridge] = append(p.addPorts[bridge], name)
	if p.haveBridge {
		p.change("port %s was missing", s.name)
	}
}

func (p *planner) insertInterface(s portSpec) string {
	row := ovsdb.Row{"name": s.name, "type": s.kind, "external_ids": ovsMap(ownerMark())}
	for column, m := range map[string]strMap{"options": s.options, "bfd": s.bfd, "other_config": s.otherConfig} {
		if len(m) > 0 {
			row[column] = ovsMap(m)
		}
	}
	if s.ofport > 0 {
		row["ofport_request"] = s.ofport
	}
	if s.cfmMPID > 0 {
		row["cfm_mpid"] = s.cfmMPID
	}
	name := p.newName()
	p.add(opInsert("Interface", name, row))
	return name
}

func (p *planner) correctIDs(uuid string, port portRow, s portSpec) {
	wrong := strMap{}
	for k, v := range s.ids {
		if port.ExternalIDs[k] != v {
			wrong[k] = v
		}
	}
	if len(wrong) > 0 {
		p.add(opMutate("Port", uuid, setKeys("external_ids", wrong)...))
		p.change("external_ids of port %s were changed", s.name)
	}
}

func (p *planner) correctInterface(uuid string, iface interfaceRow, s portSpec) {
	row := ovsdb.Row{}
	if iface.Type != s.kind {
		row["type"] = s.kind
		p.change("type of interface %s was %q", s.name, printable(iface.Type, 64))
	}
	if s.kind != "internal" {
		p.correctMap(row, s.name, "options", iface.Options, s.options)
		p.correctMap(row, s.name, "bfd", iface.BFD, s.bfd)
		p.correctMap(row, s.name, "other_config", iface.OtherConfig, s.otherConfig)
		p.correctCFM(row, iface, s)
	}
	if s.ofport > 0 && iface.OFPortRequest != optInt(s.ofport) {
		row["ofport_request"] = s.ofport
		p.change("ofport_request of interface %s was %d", s.name, iface.OFPortRequest)
	}
	if len(row) > 0 {
		p.add(opUpdate("Interface", uuid, row))
	}
	p.ensureOwner("Interface", uuid, iface.ExternalIDs)
}

func (p *planner) correctMap(row ovsdb.Row, iface, column string, have, want strMap) {
	if !maps.Equal(have, want) {
		row[column] = ovsMap(want)
		p.change("%s of interface %s were %s", column, iface, describeMap(have))
	}
}

func (p *planner) correctCFM(row ovsdb.Row, iface interfaceRow, s portSpec) {
	if iface.CFMMPID == optInt(s.cfmMPID) {
		return
	}
	row["cfm_mpid"] = ovsEmpty
	if s.cfmMPID > 0 {
		row["cfm_mpid"] = s.cfmMPID
	}
	p.change("cfm_mpid of interface %s was %d", s.name, iface.CFMMPID)
}

// describeMap is the beginning of a host's map, which can be long.
func describeMap(m strMap) string {
	s := ""
	for _, k := range sortedKeys(m) {
		if len(s) > 256 {
			break
		}
		if s != "" {
			s += ","
		}
		s += k + "=" + m[k]
	}
	return printable("{"+s+"}", 256)
}
