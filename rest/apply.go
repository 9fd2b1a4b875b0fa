package rest

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

const applyPath = "/v1/apply"

type applyInput struct {
	DryRun bool `query:"dryRun" doc:"Only say what would happen"`
	WaitQuery
	RawBody []byte
}

// Applied is what became of one object of a manifest.
type Applied struct {
	Kind     topology.Kind `json:"kind"`
	Tenant   string        `json:"tenant,omitempty"`
	Name     string        `json:"name"`
	Result   string        `json:"result" enum:"created,updated,unchanged"`
	Revision int64         `json:"revision,omitempty"`
}

// ApplyResult is the answer to a manifest.
type ApplyResult struct {
	DryRun  bool      `json:"dryRun,omitempty"`
	Results []Applied `json:"results" nullable:"false" doc:"In the order of the manifest"`
}

type applyOutput struct{ Body ApplyResult }

func (s *server) registerApply() {
	op := s.operation(http.MethodPost, applyPath, "apply", "Apply",
		"Creates or replaces all objects of a manifest in one transaction: all or none. The manifest is YAML, documents divided by ---, or JSON. "+
			"Objects that are not in it stay as they are.")
	schema := &huma.Schema{Type: huma.TypeString, Description: "Objects, each with kind, metadata and spec"}
	s.withBody(op, schema, []string{"application/yaml", "application/x-yaml", "text/yaml", "application/json"}, func(op huma.Operation) {
		huma.Register(s.api, op, func(ctx context.Context, in *applyInput) (*applyOutput, error) {
			res, p := s.apply(ctx, in)
			if p != nil {
				return nil, p
			}
			return &applyOutput{*res}, nil
		})
	})
}

func (s *server) apply(ctx context.Context, in *applyInput) (*ApplyResult, *Problem) {
	timeout, p := in.duration()
	if p != nil {
		return nil, p
	}
	objs, p := manifest(in.RawBody)
	if p != nil {
		return nil, p
	}
	in.RawBody = nil // it is large, and waiting may take minutes
	keys := make([]topology.Key, len(objs))
	index := map[topology.Key]int{}
	for i, o := range objs {
		keys[i] = o.Key()
		if first, twice := index[keys[i]]; twice {
			return nil, invalid(FieldError{Message: fmt.Sprintf("%s is in the manifest already, as object %d", keys[i], first), Location: fmt.Sprintf("body[%d]", i)})
		}
		index[keys[i]] = i
	}
	locate := func(k topology.Key, field string) string {
		if i, ok := index[k]; ok {
			return fmt.Sprintf("body[%d].%s", i, field)
		}
		return field
	}
	before := make([]topology.Object, len(objs))
	for i, k := range keys {
		if before[i], p = s.lookup(k); p != nil {
			return nil, p
		}
	}
	after, p := s.commitAll(ctx, objs, in.DryRun, locate)
	if p != nil {
		return nil, p
	}
	if !in.DryRun {
		if p := s.awaitRealized(ctx, timeout, keys); p != nil {
			return nil, p
		}
	}
	return &ApplyResult{DryRun: in.DryRun, Results: compare(keys, before, after, in.DryRun)}, nil
}

// manifest decodes the objects; an empty manifest is a mistake.
func manifest(b []byte) ([]topology.Object, *Problem) {
	objs, err := topology.DecodeManifest(b)
	if err != nil {
		if p, ok := domainProblem(err, func(k topology.Key, field string) string { return fmt.Sprintf("body: %s: %s", k, field) }); ok {
			return nil, p
		}
		p := fromStatus(http.StatusBadRequest, "the manifest cannot be read: "+err.Error())
		p.Errors = []FieldError{{Message: err.Error(), Location: "body"}}
		return nil, p
	}
	if len(objs) == 0 {
		return nil, fromStatus(http.StatusBadRequest, "the manifest has no object")
	}
	return objs, nil
}

// commitAll writes the objects, what others refer to first, and returns them as
// they are now, in the order given.
func (s *server) commitAll(ctx context.Context, objs []topology.Object, dryRun bool, locate func(topology.Key, string) string) ([]topology.Object, *Problem) {
	order := make([]int, len(objs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank(objs[a]) - rank(objs[b]) })
	changes := make([]store.Change, len(objs))
	for i, o := range order {
		changes[i] = store.Change{Op: store.OpPut, Key: objs[o].Key(), Object: objs[o]}
	}
	write := s.cfg.Intent.Apply
	if dryRun {
		planner, ok := s.cfg.Intent.(Planner)
		if !ok {
			return nil, fromStatus(http.StatusNotImplemented, "this controller cannot do a dry run")
		}
		write = planner.Plan
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CommitTimeout)
	defer cancel()
	sorted, err := write(ctx, changes)
	if err != nil {
		return nil, s.commitProblem(ctx, err, locate)
	}
	after := make([]topology.Object, len(objs))
	for i, o := range order {
		after[o] = sorted[i]
	}
	return after, nil
}

// rank orders kinds so that what others refer to comes first.
func rank(o topology.Object) int {
	return slices.Index([]topology.Kind{topology.KindHost, topology.KindTenant, topology.KindNetwork, topology.KindRouter, topology.KindEndpoint}, o.Key().Kind)
}

func compare(keys []topology.Key, before, after []topology.Object, dryRun bool) []Applied {
	results := make([]Applied, len(keys))
	for i, k := range keys {
		r := Applied{Kind: k.Kind, Tenant: k.Tenant, Name: k.Name, Result: "updated"}
		switch {
		case before[i] == nil:
			r.Result = "created"
		case before[i].Meta().Revision == after[i].Meta().Revision:
			r.Result = "unchanged"
		}
		if !dryRun {
			r.Revision = after[i].Meta().Revision
		}
		results[i] = r
	}
	return results
}
