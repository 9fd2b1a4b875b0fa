package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

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
	objs, p := s.decode(ctx, in.RawBody)
	if p != nil {
		return nil, p
	}
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
		if p := s.awaitStored(ctx, timeout, keys); p != nil {
			return nil, p
		}
	}
	return &ApplyResult{DryRun: in.DryRun, Results: compare(keys, before, after, in.DryRun)}, nil
}

// decode is manifest, a few at the same time.
func (s *server) decode(ctx context.Context, b []byte) ([]topology.Object, *Problem) {
	select {
	case s.decoding <- struct{}{}:
		defer func() { <-s.decoding }()
		return manifest(b)
	case <-ctx.Done():
		return nil, fromStatus(http.StatusServiceUnavailable, "the request ended before its manifest was read")
	}
}

// manifest decodes the objects; an empty manifest is a mistake.
func manifest(b []byte) ([]topology.Object, *Problem) {
	objs, err := topology.DecodeManifest(b)
	if err != nil {
		where := "body"
		var at *topology.ManifestError
		if errors.As(err, &at) && at.Document > 0 {
			where = fmt.Sprintf("body[%d]", at.Document-1)
		}
		if p, ok := domainProblem(err, func(_ topology.Key, field string) string { return where + "." + field }); ok {
			return nil, p
		}
		p := fromStatus(http.StatusBadRequest, "the manifest cannot be read: "+err.Error())
		p.Errors = []FieldError{{Message: err.Error(), Location: where}}
		return nil, p
	}
	if len(objs) == 0 {
		return nil, fromStatus(http.StatusBadRequest, "the manifest has no object")
	}
	return objs, nil
}

// commitAll writes the objects and returns them as they are now.
func (s *server) commitAll(ctx context.Context, objs []topology.Object, dryRun bool, locate func(topology.Key, string) string) ([]topology.Object, *Problem) {
	changes := make([]store.Change, len(objs))
	for i, o := range objs {
		changes[i] = store.Change{Op: store.OpPut, Key: o.Key(), Object: o}
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
	after, err := write(ctx, changes)
	if err != nil {
		return nil, s.commitProblem(ctx, err, locate)
	}
	return after, nil
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
