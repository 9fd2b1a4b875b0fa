package ovsdb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

const (
	// TunnelPort is the name of the VXLAN port and interface on every host.
	TunnelPort = namePrefix + "vxlan0"
	// namePrefix begins the names of all ports that are made here, except the
	// bridge's own.
	namePrefix = "dv-"

	keyOwner   = "dovetail-owner"
	ownerName  = "dovetail"
	keyPhysnet = "dovetail-physnet"

	keyDatapathID    = "datapath-id"
	keyDisableInBand = "disable-in-band"
	failSecure       = "secure"
	openFlow13       = "OpenFlow13"

	controllerMaxBackoff = 1000 // milliseconds between attempts to connect, at most
	controllerProbe      = 5000 // milliseconds of silence before a probe
)

// PatchPorts returns the names of the two patch ports that join the integration
// bridge to the bridge of a physical network: the one on the integration bridge
// and its peer. They carry external_ids:dovetail-physnet. Names of interfaces
// have 15 characters at most, hence the digest.
func PatchPorts(physnet, bridge string) (integration, peer string) {
	sum := sha256.Sum256([]byte(physnet + ":" + bridge))
	base := namePrefix + hex.EncodeToString(sum[:5])
	return base + "-i", base + "-p"
}

// wish is what a host's rows should say.
type wish struct {
	info   HostInfo
	assign Assignment
}

// plan is how to get from a host's rows to a wish, in one transaction.
type plan struct {
	ops []ovsdb.Operation
	// changes says in words what ops do, the most important first.
	changes []string
	// problems says what stands in the way, and what to do about it.
	problems []string
	// numbers are the OpenFlow ports of br-int that are wished, by name.
	numbers map[string]int
	// blocked says that problems keep all of the host from being provisioned.
	blocked bool
}

// makePlan compares. It looks only at columns that configure a switch, never at
// those that the switch reports, so that a plan that was carried out is followed
// by an empty one.
func makePlan(db *replica, w wish) plan {
	p := &planner{db: db, x: db.index(), w: w, addPorts: map[string][]string{}, dropPorts: map[string][]string{}, wanted: map[string]bool{}}
	p.numbers = map[string]int{}
	if !w.info.EncapIP.IsValid() {
		p.blocked = true // hostInfo says what is missing; leave all as it is
		return p.plan
	}
	p.brUUID, p.br, p.haveBridge = db.bridge(BridgeName)
	if why := notOurs(db, p.br); why != "" {
		p.problem("%s", why)
		p.blocked = true
		return p.plan
	}
	p.planBridge()
	p.planLocalPort()
	p.planTunnel()
	p.planPatches()
	p.planLinks()
	p.planTick()
	p.planLeftovers()
	p.planController()
	p.finish()
	return p.plan
}

// planner builds a plan. References to ports and controllers are collected and
// put into their bridge at the end.
type planner struct {
	plan
	db *replica
	x  index
	w  wish

	haveBridge bool
	brUUID     string
	br         bridgeRow

	columns         ovsdb.Row // of br-int: all of them if it is new
	mutations       []ovsdb.Mutation
	addPorts        map[string][]string // bridge UUID to ports; "" is a new br-int
	dropPorts       map[string][]string
	addControllers  []string
	dropControllers []string
	wanted          map[string]bool // names of ports
	names           int
}

func (p *planner) change(format string, a ...any) {
	p.changes = append(p.changes, fmt.Sprintf(format, a...))
}

func (p *planner) problem(format string, a ...any) {
	p.problems = append(p.problems, fmt.Sprintf(format, a...))
}

func (p *planner) add(op ovsdb.Operation) { p.ops = append(p.ops, op) }

// newName makes a name for a row within the transaction.
func (p *planner) newName() string {
	p.names++
	return "row" + strconv.Itoa(p.names)
}

func owned(ids strMap) bool { return ids[keyOwner] == ownerName }

func ownerMark() strMap { return strMap{keyOwner: ownerName} }

func datapathID(id uint64) string { return fmt.Sprintf("%016x", id) }

// notOurs says why br-int is left alone, or "". A bridge without our mark that
// nobody seems to use is taken: it is as if the operator had made it for us.
func notOurs(db *replica, br bridgeRow) string {
	const fix = `delete it ("ovs-vsctl del-br ` + BridgeName + `")`
	if owned(br.ExternalIDs) {
		return ""
	}
	_, root, _ := db.theRoot()
	ovnBridge := root.ExternalIDs["ovn-bridge"]
	if root.ExternalIDs["ovn-remote"] != "" && (ovnBridge == "" || ovnBridge == BridgeName) {
		return fmt.Sprintf("OVN uses bridge %s on this host (external_ids:ovn-remote is set): stop ovn-controller, remove "+
			"that key, and %s", BridgeName, fix)
	}
	if other := br.ExternalIDs[keyOwner]; other != "" {
		return fmt.Sprintf("bridge %s belongs to %q: %s if that is not so", BridgeName, printable(other, 64), fix)
	}
	for _, c := range br.Controller {
		if row := db.controllers.rows[c]; !owned(row.ExternalIDs) {
			return fmt.Sprintf(`bridge %s exists and has another controller (%q): %s, or give it up with "ovs-vsctl del-controller %s"`,
				BridgeName, printable(row.Target, 128), fix, BridgeName)
		}
	}
	return ""
}

// planBridge makes or corrects the row of br-int. A fail_mode that is right is
// never written: writing it could clear the tables of a running switch.
func (p *planner) planBridge() {
	config := strMap{keyDatapathID: datapathID(p.w.assign.DatapathID), keyDisableInBand: "true"}
	if !p.haveBridge {
		p.columns = ovsdb.Row{
			"name": BridgeName, "fail_mode": failSecure, "datapath_type": ovsDatapathType(p.w.info.DatapathType),
			"other_config": ovsMap(config), "external_ids": ovsMap(ownerMark()),
		}
		p.change("bridge %s was missing", BridgeName)
		return
	}
	// The guard: whoever removed or took over the bridge meanwhile wins.
	guard := ovsdb.Row{"name": BridgeName}
	if !owned(p.br.ExternalIDs) {
		guard["controller"] = ovsRefs(p.br.Controller)
		guard["external_ids"] = ovsMap(p.br.ExternalIDs)
		p.mutations = append(p.mutations, setKeys("external_ids", ownerMark())...)
		p.change("bridge %s had no owner", BridgeName)
	}
	p.add(opWait("Bridge", p.brUUID, guard))

	p.columns = ovsdb.Row{}
	if p.br.FailMode != failSecure {
		p.columns["fail_mode"] = failSecure
		p.change("fail_mode of bridge %s was %q", BridgeName, string(p.br.FailMode))
	}
	if want := p.w.info.DatapathType; ovsDatapathType(p.br.DatapathType) != ovsDatapathType(want) {
		p.columns["datapath_type"] = ovsDatapathType(want)
		p.change("datapath_type of bridge %s was %q", BridgeName, p.br.DatapathType)
	}
	// Empty means every version that the switch knows, so that plain ovs-ofctl
	// works. A list with OpenFlow 1.3 in it is the operator's choice.
	if len(p.br.Protocols) > 0 && !slices.Contains(p.br.Protocols, openFlow13) {
		p.columns["protocols"] = ovsEmpty
		p.change("protocols of bridge %s were %q", BridgeName, []string(p.br.Protocols))
	}
	wrong := strMap{}
	for _, k := range sortedKeys(config) {
		if p.br.OtherConfig[k] != config[k] {
			wrong[k] = config[k]
			p.change("other_config:%s of bridge %s was %q", k, BridgeName, p.br.OtherConfig[k])
		}
	}
	if len(wrong) > 0 {
		p.mutations = append(p.mutations, setKeys("other_config", wrong)...)
	}
}

// ovsDatapathType spells the system datapath the way ovs-vsctl leaves it.
func ovsDatapathType(t string) string {
	if t == defaultDatapathType {
		return ""
	}
	return t
}

// planLocalPort sees that the bridge has its own port, as ovs-vsctl makes it. One
// that exists is good as it is.
func (p *planner) planLocalPort() {
	if uuid, ok := p.x.ports[BridgeName]; ok && p.haveBridge && slices.Contains(p.br.Ports, uuid) {
		return
	}
	p.ensurePort(p.brUUID, portSpec{name: BridgeName, kind: "internal"})
}

func (p *planner) planTunnel() {
	p.ensurePort(p.brUUID, portSpec{
		name: TunnelPort, kind: "vxlan", ofport: TunnelOFPort,
		options: strMap{"key": "flow", "remote_ip": "flow", "local_ip": p.w.info.EncapIP.String()},
	})
}

// planPatches joins br-int to the bridges of physical networks that exist.
func (p *planner) planPatches() {
	numbers := PatchOFPorts(p.w.info.BridgeMappings)
	for _, physnet := range sortedKeys(p.w.info.BridgeMappings) {
		bridge := p.w.info.BridgeMappings[physnet]
		uuid, row, ok := p.db.bridge(bridge)
		if !ok {
			p.problem(`bridge %s, which %s maps %s to, does not exist: run "ovs-vsctl add-br %s" or correct the mapping`,
				bridge, keyBridgeMappings, physnet, bridge)
			continue
		}
		if ovsDatapathType(row.DatapathType) != ovsDatapathType(p.w.info.DatapathType) {
			p.problem("bridge %s has datapath_type %q and %s has %q, so that they cannot be joined: make them the same",
				bridge, printable(row.DatapathType, 64), BridgeName, p.w.info.DatapathType)
			continue
		}
		here, there := PatchPorts(physnet, bridge)
		ids := strMap{keyPhysnet: physnet}
		p.ensurePort(p.brUUID, portSpec{
			name: here, kind: "patch", ofport: int(numbers[physnet]), options: strMap{"peer": there}, ids: ids,
		})
		p.ensurePort(uuid, portSpec{name: there, kind: "patch", options: strMap{"peer": here}, ids: ids})
	}
}

// planLeftovers removes ports of ours that are no longer wanted.
func (p *planner) planLeftovers() {
	for _, name := range sortedKeys(p.x.ports) {
		uuid := p.x.ports[name]
		row := p.db.ports.rows[uuid]
		bridge := p.x.portBridge[uuid]
		if p.wanted[name] || !strings.HasPrefix(name, namePrefix) || !owned(row.ExternalIDs) || bridge == "" {
			continue
		}
		p.dropPorts[bridge] = append(p.dropPorts[bridge], uuid)
		p.change("port %s is no longer wanted", printable(name, 64))
	}
}

// finish writes what was collected for each bridge. A plan that would only check
// is empty.
func (p *planner) finish() {
	for _, bridge := range slices.Sorted(maps.Keys(union(p.addPorts, p.dropPorts))) {
		if bridge == p.brUUID && bridge != "" {
			p.mutations = append(p.mutations, refMutations("ports", p.addPorts[bridge], p.dropPorts[bridge])...)
		} else if bridge != "" {
			p.add(opMutate("Bridge", bridge, refMutations("ports", p.addPorts[bridge], p.dropPorts[bridge])...))
		}
	}
	if !p.haveBridge {
		p.columns["ports"] = ovsRefs(p.addPorts[""])
		p.columns["controller"] = ovsRefs(p.addControllers)
		name := p.newName()
		p.add(opInsert("Bridge", name, p.columns))
		root, _, _ := p.db.theRoot()
		p.add(opMutate("Open_vSwitch", root, addRefs("bridges", []string{name})))
		return
	}
	p.mutations = append(p.mutations, refMutations("controller", p.addControllers, p.dropControllers)...)
	if len(p.columns) > 0 {
		p.add(opUpdate("Bridge", p.brUUID, p.columns))
	}
	if len(p.mutations) > 0 {
		p.add(opMutate("Bridge", p.brUUID, p.mutations...))
	}
	if len(p.changes) == 0 {
		p.ops = nil // only the guard
	}
}

func refMutations(column string, add, drop []string) []ovsdb.Mutation {
	var m []ovsdb.Mutation
	if len(drop) > 0 {
		m = append(m, dropRefs(column, drop))
	}
	if len(add) > 0 {
		m = append(m, addRefs(column, add))
	}
	return m
}

func union(a, b map[string][]string) map[string][]string {
	u := maps.Clone(a)
	for k, v := range b {
		u[k] = append(u[k][:len(u[k]):len(u[k])], v...)
	}
	return u
}
