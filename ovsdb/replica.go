package ovsdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Bounds on what a session keeps of a host's database.
const (
	maxRows     = 100_000  // of all tables together
	maxRowBytes = 2 << 20  // JSON of one row; a bridge of 40,000 ports fits
	maxAllBytes = 32 << 20 // JSON of all rows together
)

var errTooMuch = errors.New("the host's database is larger than allowed")

// The rows that are monitored, with the columns that are needed; see
// ovs-vswitchd.conf.db(5). Columns that change with traffic are not among them.
type (
	rootRow struct {
		ExternalIDs strMap  `json:"external_ids"`
		Version     optStr  `json:"ovs_version"`
		Bridges     uuidSet `json:"bridges"`
	}
	bridgeRow struct {
		Name         string  `json:"name"`
		Ports        uuidSet `json:"ports"`
		FailMode     optStr  `json:"fail_mode"`
		DatapathType string  `json:"datapath_type"`
		DatapathID   optStr  `json:"datapath_id"`
		Protocols    strSet  `json:"protocols"`
		Controller   uuidSet `json:"controller"`
		OtherConfig  strMap  `json:"other_config"`
		ExternalIDs  strMap  `json:"external_ids"`
	}
	portRow struct {
		Name        string  `json:"name"`
		Interfaces  uuidSet `json:"interfaces"`
		ExternalIDs strMap  `json:"external_ids"`
	}
	interfaceRow struct {
		Name          string `json:"name"`
		Type          string `json:"type"`
		OFPort        optInt `json:"ofport"`
		OFPortRequest optInt `json:"ofport_request"`
		LinkState     optStr `json:"link_state"`
		Error         optStr `json:"error"`
		MTU           optInt `json:"mtu"`
		Options       strMap `json:"options"`
		ExternalIDs   strMap `json:"external_ids"`
		OtherConfig   strMap `json:"other_config"`
		BFD           strMap `json:"bfd"`
		CFMMPID       optInt `json:"cfm_mpid"`

		BFDStatus bfdStatus `json:"bfd_status"`
	}
	controllerRow struct {
		Target          string `json:"target"`
		MaxBackoff      optInt `json:"max_backoff"`
		InactivityProbe optInt `json:"inactivity_probe"`
		ExternalIDs     strMap `json:"external_ids"`
	}
)

// monitorRequest asks for exactly the columns above.
var monitorRequest = map[string]any{
	"Open_vSwitch": columns("external_ids", "ovs_version", "bridges"),
	"Bridge": columns("name", "ports", "fail_mode", "datapath_type", "datapath_id", "protocols", "controller",
		"other_config", "external_ids"),
	"Port": columns("name", "interfaces", "external_ids"),
	"Interface": columns("name", "type", "ofport", "ofport_request", "link_state", "error", "mtu", "options",
		"external_ids", "other_config", "bfd", "cfm_mpid", "bfd_status"),
	"Controller": columns("target", "max_backoff", "inactivity_probe", "external_ids"),
}

func columns(names ...string) any { return map[string]any{"columns": names} }

// table holds the rows of one table by UUID.
type table[R any] struct {
	rows  map[string]R
	sizes map[string]int // JSON bytes
}

// set stores row, or removes it if raw is null, and returns by how many bytes
// the table has grown.
func (t *table[R]) set(uuid string, raw json.RawMessage) (int, error) {
	old := t.sizes[uuid]
	if isNull(raw) {
		delete(t.rows, uuid)
		delete(t.sizes, uuid)
		return -old, nil
	}
	var row R
	if err := json.Unmarshal(raw, &row); err != nil {
		return 0, err
	}
	if t.rows == nil {
		t.rows, t.sizes = make(map[string]R), make(map[string]int)
	}
	t.rows[uuid] = row
	t.sizes[uuid] = len(raw)
	return len(raw) - old, nil
}

// replica is a copy of the monitored rows. It is not safe for concurrent use.
type replica struct {
	root        table[rootRow]
	bridges     table[bridgeRow]
	ports       table[portRow]
	interfaces  table[interfaceRow]
	controllers table[controllerRow]

	bytes  int
	budget *budget
}

// apply takes <table-updates> of RFC 7047 section 4.1.6: for monitor version 1
// "new" has all columns of a row. Rows are decoded one by one, so that the
// memory that a message costs is bounded by the bounds on rows. After an error
// the replica is not to be used.
func (db *replica) apply(updates json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(updates))
	err := eachMember(dec, func(name string) error {
		set, err := db.setter(name)
		if err != nil {
			return err
		}
		return eachMember(dec, func(uuid string) error {
			if !isUUID(uuid) {
				return fmt.Errorf("table %s: %q is no UUID", name, shorten(uuid, 64))
			}
			if err := db.applyRow(dec, uuid, set); err != nil {
				return fmt.Errorf("table %s: row %s: %w", name, uuid, err)
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	return nil
}

func (db *replica) setter(name string) (func(string, json.RawMessage) (int, error), error) {
	switch name {
	case "Open_vSwitch":
		return db.root.set, nil
	case "Bridge":
		return db.bridges.set, nil
	case "Port":
		return db.ports.set, nil
	case "Interface":
		return db.interfaces.set, nil
	case "Controller":
		return db.controllers.set, nil
	}
	return nil, fmt.Errorf("table %q was not asked for", shorten(name, 64))
}

func (db *replica) applyRow(dec *json.Decoder, uuid string, set func(string, json.RawMessage) (int, error)) error {
	var update struct {
		New json.RawMessage `json:"new"`
	}
	start := dec.InputOffset()
	if err := dec.Decode(&update); err != nil {
		return err
	}
	if dec.InputOffset()-start > 2*maxRowBytes || len(update.New) > maxRowBytes {
		return fmt.Errorf("%w (%d bytes a row)", errTooMuch, maxRowBytes)
	}
	grown, err := set(uuid, update.New)
	if err != nil {
		return err
	}
	if !db.budget.take(grown) {
		return errBudget
	}
	db.budget.give(-grown)
	db.bytes += grown
	if db.bytes > maxAllBytes || db.count() > maxRows {
		return fmt.Errorf("%w (%d rows, %d bytes)", errTooMuch, maxRows, maxAllBytes)
	}
	return nil
}

func (db *replica) count() int {
	return len(db.root.rows) + len(db.bridges.rows) + len(db.ports.rows) + len(db.interfaces.rows) +
		len(db.controllers.rows)
}

// drop empties the replica and gives back what it took from the budget.
func (db *replica) drop() {
	db.budget.give(db.bytes)
	*db = replica{budget: db.budget}
}

// eachMember walks over the members of the JSON object that comes next; f must
// consume the member's value.
func eachMember(dec *json.Decoder, f func(key string) error) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("%v where an object was expected", t)
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return fmt.Errorf("%v where a name was expected", t)
		}
		if err := f(key); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// theRoot returns the single row of Open_vSwitch.
func (db *replica) theRoot() (uuid string, row rootRow, ok bool) {
	if len(db.root.rows) != 1 {
		return "", rootRow{}, false
	}
	for uuid, row = range db.root.rows {
		return uuid, row, true
	}
	return "", rootRow{}, false
}

// bridge finds a bridge by name among those that the root row refers to.
func (db *replica) bridge(name string) (uuid string, row bridgeRow, ok bool) {
	_, root, _ := db.theRoot()
	for _, uuid := range root.Bridges {
		if row, ok := db.bridges.rows[uuid]; ok && row.Name == name {
			return uuid, row, true
		}
	}
	return "", bridgeRow{}, false
}

// bridgeInterfaces goes through the interfaces of a bridge's ports, without those
// in seen, which it adds to: the references of a hostile host may repeat.
func (db *replica) bridgeInterfaces(b bridgeRow, seen map[string]bool) iter.Seq[interfaceRow] {
	return func(yield func(interfaceRow) bool) {
		for _, p := range b.Ports {
			if seen[p] {
				continue
			}
			seen[p] = true
			for _, u := range db.ports.rows[p].Interfaces {
				i, ok := db.interfaces.rows[u]
				if !ok || seen[u] {
					continue
				}
				seen[u] = true
				if !yield(i) {
					return
				}
			}
		}
	}
}

// index finds ports and interfaces by name; both names are unique in a database.
type index struct {
	ports      map[string]string // name to UUID
	interfaces map[string]string
	portBridge map[string]string // port UUID to bridge UUID
}

func (db *replica) index() index {
	x := index{
		ports:      make(map[string]string, len(db.ports.rows)),
		interfaces: make(map[string]string, len(db.interfaces.rows)),
		portBridge: make(map[string]string, len(db.ports.rows)),
	}
	for uuid, p := range db.ports.rows {
		x.ports[p.Name] = uuid
	}
	for uuid, i := range db.interfaces.rows {
		x.interfaces[i.Name] = uuid
	}
	for uuid, b := range db.bridges.rows {
		for _, p := range b.Ports {
			x.portBridge[p] = uuid
		}
	}
	return x
}

// sortedKeys makes plans and messages the same in every run.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
