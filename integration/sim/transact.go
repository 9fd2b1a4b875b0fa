package sim

import (
	"encoding/json"
	"fmt"
)

// operation is one of a transaction (RFC 7047 section 5.2).
type operation struct {
	Op        string           `json:"op"`
	Table     string           `json:"table"`
	Row       map[string]any   `json:"row"`
	Rows      []map[string]any `json:"rows"`
	Where     [][3]any         `json:"where"`
	Mutations [][3]any         `json:"mutations"`
	Columns   []string         `json:"columns"`
	Until     string           `json:"until"`
	UUIDName  string           `json:"uuid-name"`
}

// refusal is the error of an operation, as it is said on the wire.
type refusal struct {
	Name    string `json:"error"`
	Details string `json:"details,omitempty"`
}

func (r *refusal) Error() string { return r.Name + ": " + r.Details }

// transact carries out all operations or none. results has one for each
// operation, or ends with the refusal.
func (db *database) transact(params []json.RawMessage) (results []any, changes []delta) {
	ops := make([]operation, len(params))
	named := make(map[string]ref)
	for i, p := range params {
		if err := json.Unmarshal(p, &ops[i]); err != nil {
			return []any{&refusal{"syntax error", err.Error()}}, nil
		}
		if ops[i].UUIDName != "" {
			named[ops[i].UUIDName] = newRef()
		}
	}
	e := db.edit()
	for i := range ops {
		result, err := e.do(&ops[i], named)
		if err != nil {
			r, ok := err.(*refusal)
			if !ok {
				r = &refusal{"constraint violation", err.Error()}
			}
			return append(results, r), nil
		}
		results = append(results, result)
	}
	return results, e.commit()
}

func (e *edit) do(o *operation, named map[string]ref) (result any, err error) {
	switch o.Op {
	case "insert":
		u, ok := named[o.UUIDName]
		if !ok {
			u = newRef()
		}
		columns, err := decodeRow(o.Row, named)
		if err != nil {
			return nil, err
		}
		return map[string]any{"uuid": u}, e.insert(o.Table, u, columns)
	case "wait":
		return struct{}{}, e.wait(o, named)
	case "update", "mutate":
		u, ok, err := o.target()
		if err != nil {
			return nil, err
		}
		old, there := e.get(o.Table, u)
		if !ok || !there {
			return map[string]int{"count": 0}, nil
		}
		columns, err := o.columns(old, named)
		if err != nil {
			return nil, err
		}
		return map[string]int{"count": 1}, e.set(o.Table, u, columns)
	}
	return nil, &refusal{"unknown operation", fmt.Sprintf("%q is not simulated", o.Op)}
}

// target is the row that "_uuid == X" names.
func (o *operation) target() (u ref, ok bool, err error) {
	if len(o.Where) != 1 || o.Where[0][0] != "_uuid" || o.Where[0][1] != "==" {
		return "", false, &refusal{"not supported", "where is simulated for _uuid == X only"}
	}
	v, err := decodeValue(o.Where[0][2], nil)
	if err != nil || len(v.rows()) != 1 {
		return "", false, errValue
	}
	return v.rows()[0], true, nil
}

// columns are those that an update or a mutation gives a row.
func (o *operation) columns(old row, named map[string]ref) (row, error) {
	if o.Op == "update" {
		return decodeRow(o.Row, named)
	}
	columns := make(row)
	for _, m := range o.Mutations {
		name, _ := m[0].(string)
		mutator, _ := m[1].(string)
		arg, err := decodeValue(m[2], named)
		if err != nil {
			return nil, err
		}
		v, ok := columns[name]
		if !ok {
			v = old[name]
		}
		if columns[name], err = v.mutated(mutator, arg); err != nil {
			return nil, err
		}
	}
	return columns, nil
}

// wait holds if the row's columns are those of the operation. It never waits: only
// timeout 0 is simulated.
func (e *edit) wait(o *operation, named map[string]ref) error {
	timedOut := &refusal{Name: "timed out"}
	u, _, err := o.target()
	if err != nil {
		return err
	}
	have, ok := e.get(o.Table, u)
	if o.Until != "==" || len(o.Rows) != 1 {
		return &refusal{"not supported", "wait is simulated until == one row"}
	}
	if !ok {
		return timedOut
	}
	want, err := decodeRow(o.Rows[0], named)
	if err != nil {
		return err
	}
	for _, c := range o.Columns {
		if !have[c].equal(want[c]) {
			return timedOut
		}
	}
	return nil
}

func decodeRow(raw map[string]any, named map[string]ref) (row, error) {
	r := make(row, len(raw))
	for c, v := range raw {
		var err error
		if r[c], err = decodeValue(v, named); err != nil {
			return nil, fmt.Errorf("column %s: %w", c, err)
		}
	}
	return r, nil
}
