package pipeline

import (
	"fmt"
	"slices"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// Check says how a flow breaks the declaration of its table: a field that the
// table does not declare would make its megaflows narrower than anybody expects,
// and a jump that it does not declare would make the picture of the pipeline wrong.
func Check(f openflow.Flow) error {
	tables := Tables()
	i := slices.IndexFunc(tables, func(t Table) bool { return t.Number == f.Table })
	if i < 0 {
		return fmt.Errorf("table %d is not declared", f.Table)
	}
	t := tables[i]
	for _, m := range f.Match {
		if !slices.Contains(t.Matches, m.Field) {
			return fmt.Errorf("table %s does not declare that it matches %s", t.Name, m.Field)
		}
	}
	for _, next := range nextTables(f) {
		if !slices.Contains(t.Next, next) {
			return fmt.Errorf("table %s does not declare that it goes to table %d", t.Name, next)
		}
	}
	return nil
}

// nextTables are the tables that a flow goes or resubmits to, itself or by way of
// connection tracking.
func nextTables(f openflow.Flow) []uint8 {
	var next []uint8
	if f.Goto != 0 {
		next = append(next, f.Goto)
	}
	for _, a := range f.Actions {
		switch a := a.(type) {
		case openflow.Resubmit:
			next = append(next, a.Table)
		case openflow.CT:
			if a.Table != 0 {
				next = append(next, a.Table)
			}
		}
	}
	return next
}
