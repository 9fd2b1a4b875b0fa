package sim

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/google/uuid"
)

// row is a row's columns. Rows are replaced, never changed in place.
type row map[string]value

// schema has every table with the columns that are simulated, as they are in a
// new row (ovs-vswitchd.conf.db(5)).
var schema = map[string]row{
	"Open_vSwitch": {"external_ids": dict(nil), "other_config": dict(nil), "ovs_version": atom("3.1.0"), "bridges": set(),
		"next_cfg": atom(0.0), "cur_cfg": atom(0.0)},
	"Bridge": {"name": atom(""), "ports": set(), "fail_mode": set(), "datapath_type": atom(""), "datapath_id": set(),
		"protocols": set(), "controller": set(), "other_config": dict(nil), "external_ids": dict(nil)},
	"Port": {"name": atom(""), "interfaces": set(), "external_ids": dict(nil)},
	"Interface": {"name": atom(""), "type": atom(""), "ofport": set(), "ofport_request": set(), "link_state": set(),
		"error": set(), "mtu": set(), "options": dict(nil), "external_ids": dict(nil),
		"other_config": dict(nil), "bfd": dict(nil), "bfd_status": dict(nil), "cfm_mpid": set()},
	"Controller": {"target": atom(""), "max_backoff": set(), "inactivity_probe": set(), "external_ids": dict(nil),
		"is_connected": atom(false)},
}

// references are the columns that keep rows of other tables alive.
var references = map[string]map[string]string{
	"Open_vSwitch": {"bridges": "Bridge"},
	"Bridge":       {"ports": "Port", "controller": "Controller"},
	"Port":         {"interfaces": "Interface"},
}

// database is a host's Open_vSwitch database. It is not safe for concurrent use.
type database struct {
	root   ref
	tables map[string]map[ref]row
}

func newDatabase(externalIDs map[string]string) *database {
	db := &database{root: newRef(), tables: make(map[string]map[ref]row)}
	for name := range schema {
		db.tables[name] = make(map[ref]row)
	}
	root := maps.Clone(schema["Open_vSwitch"])
	root["external_ids"] = dict(externalIDs)
	db.tables["Open_vSwitch"][db.root] = root
	return db
}

func newRef() ref { return ref(uuid.NewString()) }

// find returns the first row of a table whose name is name.
func (db *database) find(table, name string) (ref, row, bool) {
	for u, r := range db.tables[table] {
		if r["name"].text() == name {
			return u, r, true
		}
	}
	return "", nil, false
}

// edit is a transaction that is not committed: what it has changed, with a nil
// row for one that is deleted.
type edit struct {
	db   *database
	rows map[string]map[ref]row
}

func (db *database) edit() *edit { return &edit{db, make(map[string]map[ref]row)} }

func (e *edit) get(table string, u ref) (row, bool) {
	if r, ok := e.rows[table][u]; ok {
		return r, r != nil
	}
	r, ok := e.db.tables[table][u]
	return r, ok
}

func (e *edit) put(table string, u ref, r row) {
	if e.rows[table] == nil {
		e.rows[table] = make(map[ref]row)
	}
	e.rows[table][u] = r
}

// set replaces columns of a row.
func (e *edit) set(table string, u ref, columns row) error {
	old, ok := e.get(table, u)
	if !ok {
		return fmt.Errorf("table %s has no row %s", table, u)
	}
	r := maps.Clone(old)
	for c, v := range columns {
		if _, ok := schema[table][c]; !ok {
			return fmt.Errorf("table %s: column %q is not simulated", table, c)
		}
		r[c] = v
	}
	e.put(table, u, r)
	return nil
}

// insert adds a row with its other columns as in a new one.
func (e *edit) insert(table string, u ref, columns row) error {
	start, ok := schema[table]
	if !ok {
		return fmt.Errorf("table %q is not simulated", table)
	}
	e.put(table, u, start)
	return e.set(table, u, columns)
}

// delta is a change of one row; old or new is nil when there was or is none.
type delta struct {
	table    string
	row      ref
	old, new row
}

// commit makes e's changes, and deletes the rows that nothing refers to any more.
func (e *edit) commit() []delta {
	e.collect()
	var changes []delta
	for table, rows := range e.rows {
		for u, r := range rows {
			old := e.db.tables[table][u]
			if r == nil {
				delete(e.db.tables[table], u)
			} else {
				e.db.tables[table][u] = r
			}
			if !sameRow(old, r) {
				changes = append(changes, delta{table, u, old, r})
			}
		}
	}
	return changes
}

// collect drops rows without a reference. References form a tree: only rows that
// are new, or that a changed row pointed to, can have lost theirs.
func (e *edit) collect() {
	candidates := make(map[string]map[ref]bool)
	add := func(table string, u ref) {
		if candidates[table] == nil {
			candidates[table] = make(map[ref]bool)
		}
		candidates[table][u] = true
	}
	for table, rows := range e.rows {
		for u, r := range rows {
			old := e.db.tables[table][u]
			if old == nil {
				add(table, u)
			}
			for column, to := range references[table] {
				for _, lost := range old[column].without(r[column]).rows() {
					add(to, lost)
				}
			}
		}
	}
	for _, link := range []struct{ table, column, to string }{
		{"Open_vSwitch", "bridges", "Bridge"}, {"Bridge", "ports", "Port"}, {"Bridge", "controller", "Controller"},
		{"Port", "interfaces", "Interface"},
	} {
		for u := range candidates[link.to] {
			r, ok := e.get(link.to, u)
			if !ok || e.refers(link.table, link.column, u) {
				continue
			}
			e.put(link.to, u, nil)
			for column, to := range references[link.to] {
				for _, child := range r[column].rows() {
					add(to, child)
				}
			}
		}
	}
}

func (e *edit) refers(table, column string, u ref) bool {
	for _, r := range e.rows[table] {
		if r[column].has(u) {
			return true
		}
	}
	for parent, r := range e.db.tables[table] {
		if _, changed := e.rows[table][parent]; !changed && r[column].has(u) {
			return true
		}
	}
	return false
}

func sameRow(a, b row) bool {
	if len(a) != len(b) {
		return false
	}
	for c, v := range a {
		if !v.equal(b[c]) {
			return false
		}
	}
	return true
}

// monitor is the columns that a connection watches, by table.
type monitor map[string][]string

// updates are <table-updates> (RFC 7047 section 4.1.6) for changes; nil if m does
// not watch any of what changed.
func (m monitor) updates(changes []delta) map[string]map[ref]map[string]row {
	var out map[string]map[ref]map[string]row
	for _, d := range changes {
		columns, ok := m[d.table]
		if !ok || d.old != nil && d.new != nil && !d.touches(columns) {
			continue
		}
		if out == nil {
			out = make(map[string]map[ref]map[string]row)
		}
		if out[d.table] == nil {
			out[d.table] = make(map[ref]map[string]row)
		}
		u := make(map[string]row)
		if d.old != nil {
			u["old"] = pick(d.old, columns)
		}
		if d.new != nil {
			u["new"] = pick(d.new, columns)
		}
		out[d.table][d.row] = u
	}
	return out
}

func (d *delta) touches(columns []string) bool {
	for _, c := range columns {
		if !d.old[c].equal(d.new[c]) {
			return true
		}
	}
	return false
}

func pick(r row, columns []string) row {
	out := make(row, len(columns))
	for _, c := range columns {
		out[c] = r[c]
	}
	return out
}

// everything is all rows, as changes from nothing.
func (db *database) everything() []delta {
	var all []delta
	for table, rows := range db.tables {
		for u, r := range rows {
			all = append(all, delta{table, u, nil, r})
		}
	}
	return all
}

// decodeMonitor reads the requests of a monitor.
func decodeMonitor(raw json.RawMessage) (monitor, error) {
	var requests map[string]json.RawMessage
	if err := json.Unmarshal(raw, &requests); err != nil {
		return nil, err
	}
	m := make(monitor)
	for table, r := range requests {
		var one struct{ Columns []string }
		if err := json.Unmarshal(r, &one); err != nil {
			return nil, err
		}
		for _, c := range one.Columns {
			if _, ok := schema[table][c]; !ok {
				return nil, fmt.Errorf("table %s: column %q is not simulated", table, c)
			}
		}
		m[table] = one.Columns
	}
	return m, nil
}
