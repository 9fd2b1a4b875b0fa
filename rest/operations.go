package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/dovetail-sdn/dovetail/topology"
)

// Target is what the path names. It reads the path itself, so that one set of
// operations serves kinds with and without a tenant.
type Target struct{ tenant, name string }

// Resolve implements huma.Resolver.
func (t *Target) Resolve(ctx huma.Context) []error {
	t.tenant, t.name = ctx.Param("tenant"), ctx.Param("name")
	return nil
}

func (t Target) key(kind topology.Kind) topology.Key {
	return topology.Key{Kind: kind, Tenant: t.tenant, Name: t.name}
}

type getInput struct {
	Target      Target
	IfNoneMatch string `header:"If-None-Match" doc:"ETag of an earlier answer: 304 if nothing changed"`
	WaitQuery
}

type writeInput struct {
	Target      Target
	IfMatch     string `header:"If-Match" doc:"ETag of an earlier answer: 412 if the object was changed since"`
	IfNoneMatch string `header:"If-None-Match" doc:"*: 412 if the object exists"`
	WaitQuery
	RawBody []byte
}

type deleteInput struct {
	Target  Target
	IfMatch string `header:"If-Match" doc:"ETag of an earlier answer: 412 if the object was changed since"`
	WaitQuery
}

type objectOutput[B any] struct {
	Status   int
	ETag     string `header:"ETag" doc:"For If-Match and If-None-Match"`
	Location string `header:"Location"`
	Body     *B
}

type listOutput[B any] struct{ Body List[B] }

// register declares all operations of one kind.
func register[B any](s *server, d kindDef[B]) {
	collection := "/v1/" + d.kind.Plural()
	item := collection + "/{name}"
	if d.kind.Scoped() {
		item = "/v1/tenants/{tenant}/" + d.kind.Plural() + "/{name}"
	}
	k := string(d.kind)
	huma.Register(s.api, s.operation(http.MethodGet, item, "get"+k, k, d.doc), func(ctx context.Context, in *getInput) (*objectOutput[B], error) {
		return out(getObject(ctx, s, d, in))
	})
	s.withBody(s.operation(http.MethodPut, item, "put"+k, k, "Creates or replaces. "+d.doc), bodySchema(s, d), []string{"application/json"}, func(op huma.Operation) {
		huma.Register(s.api, op, func(ctx context.Context, in *writeInput) (*objectOutput[B], error) {
			return out(putObject(ctx, s, d, in))
		})
		op.Responses["201"] = &huma.Response{Description: "Created", Content: op.Responses["200"].Content, Headers: op.Responses["200"].Headers}
	})
	s.withBody(s.operation(http.MethodPatch, item, "patch"+k, k, "Changes some fields: a JSON merge patch (RFC 7396). "+d.doc), bodySchema(s, d), []string{"application/merge-patch+json", "application/json"}, func(op huma.Operation) {
		huma.Register(s.api, op, func(ctx context.Context, in *writeInput) (*objectOutput[B], error) {
			return out(patchObject(ctx, s, d, in))
		})
	})
	huma.Register(s.api, s.operation(http.MethodDelete, item, "delete"+k, k, "Deletes. With wait=realized the answer comes when every switch has acknowledged the removal."), func(ctx context.Context, in *deleteInput) (*struct{}, error) {
		if p := deleteObject(ctx, s, d.kind, in); p != nil {
			return nil, p
		}
		return nil, nil
	})
	huma.Register(s.api, s.operation(http.MethodGet, collection, "list"+k+"s", k, "Lists, sorted by tenant and name."), func(_ context.Context, in *listInput) (*listOutput[B], error) {
		return list(s, d, in)
	})
	if d.kind.Scoped() {
		huma.Register(s.api, s.operation(http.MethodGet, strings.TrimSuffix(item, "/{name}"), "listTenant"+k+"s", k, "Lists those of one tenant, sorted by name."), func(_ context.Context, in *listInput) (*listOutput[B], error) {
			return list(s, d, in)
		})
	}
}

// out turns a *Problem that may be nil into an error that really is.
func out[B any](o *objectOutput[B], p *Problem) (*objectOutput[B], error) {
	if p != nil {
		return nil, p
	}
	return o, nil
}

func getObject[B any](ctx context.Context, s *server, d kindDef[B], in *getInput) (*objectOutput[B], *Problem) {
	timeout, p := in.duration()
	if p != nil {
		return nil, p
	}
	key := in.Target.key(d.kind)
	obj, p := s.get(key)
	if p != nil {
		return nil, p
	}
	if timeout > 0 {
		if p := s.awaitRealized(ctx, timeout, []topology.Key{key}); p != nil {
			return nil, p
		}
		if obj, p = s.get(key); p != nil {
			return nil, p
		}
	}
	o := showAs(d, http.StatusOK, obj, s.cfg.Realization.StatusCounted(ctx, key))
	if in.IfNoneMatch != "" && notModified(in.IfNoneMatch, o.ETag) {
		return nil, (&Problem{Status: http.StatusNotModified}).withHeader("ETag", o.ETag)
	}
	return o, nil
}

func (s *server) get(key topology.Key) (topology.Object, *Problem) {
	obj, p := s.lookup(key)
	if p == nil && obj == nil {
		p = notFound(key)
	}
	return obj, p
}

// lookup returns nil for an object that does not exist.
func (s *server) lookup(key topology.Key) (topology.Object, *Problem) {
	obj, err := s.cfg.Intent.Get(key)
	var missing *topology.NotFoundError
	switch {
	case err == nil:
		return obj, nil
	case errors.As(err, &missing):
		return nil, nil
	}
	return nil, unavailable("the store cannot be read: %v", err)
}

func show[B any](s *server, d kindDef[B], status int, obj topology.Object) *objectOutput[B] {
	return showAs(d, status, obj, s.cfg.Realization.Status(obj.Key()))
}

func showAs[B any](d kindDef[B], status int, obj topology.Object, found topology.Status) *objectOutput[B] {
	view := d.view(obj, found)
	o := &objectOutput[B]{Status: status, ETag: etag(obj, view), Body: view}
	if status == http.StatusCreated {
		o.Location = path(d, obj.Key())
	}
	return o
}

func path[B any](d kindDef[B], key topology.Key) string {
	if d.kind.Scoped() {
		return fmt.Sprintf("/v1/tenants/%s/%s/%s", url.PathEscape(key.Tenant), d.kind.Plural(), url.PathEscape(key.Name))
	}
	return fmt.Sprintf("/v1/%s/%s", d.kind.Plural(), url.PathEscape(key.Name))
}

func putObject[B any](ctx context.Context, s *server, d kindDef[B], in *writeInput) (*objectOutput[B], *Problem) {
	tree, p := readBody(in.RawBody)
	if p != nil {
		return nil, p
	}
	key := in.Target.key(d.kind)
	wish, p := d.decodeBody(tree, key)
	if p != nil {
		return nil, p
	}
	if d.kind.Scoped() {
		if _, p := s.get(topology.Key{Kind: topology.KindTenant, Name: key.Tenant}); p != nil {
			return nil, p // the path leads nowhere; in a manifest it is the field that is wrong
		}
	}
	return write(ctx, s, d, in, fromNothing, func(topology.Object) (topology.Object, *Problem) { return wish, nil })
}

func patchObject[B any](ctx context.Context, s *server, d kindDef[B], in *writeInput) (*objectOutput[B], *Problem) {
	patch, p := readBody(in.RawBody)
	if p != nil {
		return nil, p
	}
	key := in.Target.key(d.kind)
	return write(ctx, s, d, in, fromNow, func(now topology.Object) (topology.Object, *Problem) {
		if now == nil {
			return nil, notFound(key)
		}
		return d.patched(now, patch, key)
	})
}

func write[B any](ctx context.Context, s *server, d kindDef[B], in *writeInput, from basis, mk func(topology.Object) (topology.Object, *Problem)) (*objectOutput[B], *Problem) {
	timeout, p := in.duration()
	if p != nil {
		return nil, p
	}
	cond, p := parsePrecondition(in.IfMatch, in.IfNoneMatch)
	if p != nil {
		return nil, p
	}
	key := in.Target.key(d.kind)
	obj, created, p := s.commit(ctx, key, cond, from, mk)
	if p != nil {
		return nil, p
	}
	if p := s.awaitStored(ctx, timeout, []topology.Key{key}); p != nil {
		return nil, p.withHeader("ETag", show(s, d, 0, obj).ETag)
	}
	if created {
		return show(s, d, http.StatusCreated, obj), nil
	}
	return show(s, d, http.StatusOK, obj), nil
}

func deleteObject(ctx context.Context, s *server, kind topology.Kind, in *deleteInput) *Problem {
	timeout, p := in.duration()
	if p != nil {
		return p
	}
	cond, p := parsePrecondition(in.IfMatch, "")
	if p != nil {
		return p
	}
	key := in.Target.key(kind)
	if p := s.remove(ctx, key, cond); p != nil {
		return p
	}
	return s.awaitStored(ctx, timeout, []topology.Key{key})
}

// readBody parses a JSON body.
func readBody(b []byte) (any, *Problem) {
	tree, err := topology.ParseJSON(b)
	if err != nil {
		p := problem(http.StatusBadRequest, "bad-request", "Bad Request", "the body is %v", err)
		p.Errors = []FieldError{{Message: err.Error(), Location: "body"}}
		return nil, p
	}
	return tree, nil
}

// bodySchema describes what PUT takes: metadata and spec.
func bodySchema[B any](s *server, d kindDef[B]) *huma.Schema {
	reg := s.api.OpenAPI().Components.Schemas
	labels := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: &huma.Schema{Type: huma.TypeString}}
	return &huma.Schema{Type: huma.TypeObject, Required: []string{"spec"}, AdditionalProperties: false, Properties: map[string]*huma.Schema{
		"kind":     {Type: huma.TypeString, Enum: []any{string(d.kind)}},
		"metadata": {Type: huma.TypeObject, Description: "Name and tenant may be left out: the path names them. What the server sets is ignored.", Properties: map[string]*huma.Schema{"name": {Type: huma.TypeString}, "tenant": {Type: huma.TypeString}, "labels": labels}},
		"spec":     reg.Schema(reflect.TypeOf(topology.SpecOf(topology.New(d.kind))).Elem(), true, ""),
		"status":   {Type: huma.TypeObject, Description: "Ignored"},
	}}
}
