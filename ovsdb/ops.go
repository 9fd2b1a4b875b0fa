package ovsdb

import (
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// Operations of RFC 7047 section 5.2. Only wait, insert, update and mutate are
// sent, each on one row that is named by its UUID: rows that are to go are taken
// out of what refers to them, and the database collects them.

func byUUID(uuid string) []ovsdb.Condition {
	return []ovsdb.Condition{ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: uuid})}
}

func opInsert(table, name string, row ovsdb.Row) ovsdb.Operation {
	return ovsdb.Operation{Op: ovsdb.OperationInsert, Table: table, Row: row, UUIDName: name}
}

func opUpdate(table, uuid string, row ovsdb.Row) ovsdb.Operation {
	return ovsdb.Operation{Op: ovsdb.OperationUpdate, Table: table, Where: byUUID(uuid), Row: row}
}

func opMutate(table, uuid string, m ...ovsdb.Mutation) ovsdb.Operation {
	return ovsdb.Operation{Op: ovsdb.OperationMutate, Table: table, Where: byUUID(uuid), Mutations: m}
}

// opWait lets the transaction fail at once unless the row's columns are as given.
func opWait(table, uuid string, row ovsdb.Row) ovsdb.Operation {
	now := 0
	return ovsdb.Operation{
		Op: ovsdb.OperationWait, Table: table, Where: byUUID(uuid), Timeout: &now,
		Columns: sortedKeys(row), Until: "==", Rows: []ovsdb.Row{row},
	}
}

// setKeys are the mutations that give keys of a map column new values: "insert"
// alone leaves the value of a key that exists.
func setKeys(column string, kv strMap) []ovsdb.Mutation {
	keys := make([]any, 0, len(kv))
	for _, k := range sortedKeys(kv) {
		keys = append(keys, k)
	}
	return []ovsdb.Mutation{
		*ovsdb.NewMutation(column, ovsdb.MutateOperationDelete, ovsdb.OvsSet{GoSet: keys}),
		*ovsdb.NewMutation(column, ovsdb.MutateOperationInsert, ovsMap(kv)),
	}
}

func addRefs(column string, uuids []string) ovsdb.Mutation {
	return *ovsdb.NewMutation(column, ovsdb.MutateOperationInsert, ovsRefs(uuids))
}

func dropRefs(column string, uuids []string) ovsdb.Mutation {
	return *ovsdb.NewMutation(column, ovsdb.MutateOperationDelete, ovsRefs(uuids))
}

func ovsMap(kv strMap) ovsdb.OvsMap {
	m := make(map[any]any, len(kv))
	for k, v := range kv {
		m[k] = v
	}
	return ovsdb.OvsMap{GoMap: m}
}

func ovsRefs(uuids []string) ovsdb.OvsSet {
	refs := make([]any, len(uuids))
	for i, u := range uuids {
		refs[i] = ovsdb.UUID{GoUUID: u}
	}
	return ovsdb.OvsSet{GoSet: refs}
}

var ovsEmpty = ovsdb.OvsSet{}

// checkResults finds the error in the results of a transaction. The list has one
// entry more than there were operations if the commit itself failed.
func checkResults(results []opResult, ops []ovsdb.Operation) error {
	for i, r := range results {
		if r.Error == "" {
			continue
		}
		what := "commit"
		if i < len(ops) {
			what = ops[i].Op + " in table " + ops[i].Table
		}
		return fmt.Errorf("%s: %s: %s", what, shorten(r.Error, 128), shorten(r.Details, 512))
	}
	if len(results) < len(ops) {
		return fmt.Errorf("%d results for %d operations", len(results), len(ops))
	}
	return nil
}

// opResult is what is needed of an operation's result.
type opResult struct {
	Error   string `json:"error"`
	Details string `json:"details"`
}
