package rest

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/dovetail-sdn/dovetail/topology"
)

type listInput struct {
	Target        Target
	Limit         int    `query:"limit" minimum:"1" maximum:"1000" default:"500" doc:"At most so many objects in one page"`
	Continue      string `query:"continue" maxLength:"1024" doc:"The continue of the page before"`
	LabelSelector string `query:"labelSelector" maxLength:"4096" doc:"Only objects with these labels: a=b, c!=d, e (is there), !f (is not), all joined by commas" example:"app=web,tier!=test"`
	NamePrefix    string `query:"namePrefix" maxLength:"253" doc:"Only objects whose name begins so"`
	Network       string `query:"network" maxLength:"253" doc:"Only endpoints in, or routers that join, a network of this name"`
}

// list returns a page. A page begins after a name, not at a number, so that no
// object is skipped or shown twice when others come and go between two pages.
func list[B any](s *server, d kindDef[B], in *listInput) (*listOutput[B], error) {
	selector, p := parseSelector(in.LabelSelector)
	if p != nil {
		return nil, p
	}
	if in.Network != "" && d.kind != topology.KindEndpoint && d.kind != topology.KindRouter {
		return nil, invalid(FieldError{Message: "only endpoints and routers can be selected by network", Location: "query.network", Value: in.Network})
	}
	after, p := parseContinue(in.Continue)
	if p != nil {
		return nil, p
	}
	if d.kind.Scoped() && in.Target.tenant != "" {
		if _, p := s.get(topology.Key{Kind: topology.KindTenant, Name: in.Target.tenant}); p != nil {
			return nil, p
		}
	}
	objs := s.cfg.Intent.List(d.kind, in.Target.tenant)
	start := 0
	if in.Continue != "" {
		after.Kind = d.kind
		start, _ = slices.BinarySearchFunc(objs, after, func(o topology.Object, k topology.Key) int {
			if k.Less(o.Key()) {
				return 1
			}
			return -1
		})
	}
	page := List[B]{Kind: string(d.kind) + "List", Items: []*B{}}
	var last topology.Key
	for _, obj := range objs[start:] {
		meta := obj.Meta()
		if !strings.HasPrefix(meta.Name, in.NamePrefix) || !selector.matches(meta.Labels) || in.Network != "" && !isOfNetwork(obj, in.Network) {
			continue
		}
		if len(page.Items) == in.Limit {
			page.Continue = formatContinue(last)
			break
		}
		last = obj.Key()
		page.Items = append(page.Items, d.view(obj, s.cfg.Realization.Status(last)))
	}
	return &listOutput[B]{Body: page}, nil
}

func formatContinue(k topology.Key) string {
	return base64.RawURLEncoding.EncodeToString([]byte(k.Tenant + "\x00" + k.Name))
}

func parseContinue(token string) (topology.Key, *Problem) {
	if token == "" {
		return topology.Key{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	tenant, name, ok := strings.Cut(string(b), "\x00")
	if err != nil || !ok {
		return topology.Key{}, invalid(FieldError{Message: "must be the continue of the page before, unchanged", Location: "query.continue", Value: clip(token)})
	}
	return topology.Key{Tenant: tenant, Name: name}, nil
}

// selector is a list of conditions that must all hold.
type selector []requirement

type requirement struct {
	label, value string
	negate       bool
	anyValue     bool
}

func parseSelector(text string) (selector, *Problem) {
	var sel selector
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		var r requirement
		switch {
		case strings.Contains(part, "!="):
			r.label, r.value, _ = strings.Cut(part, "!=")
			r.negate = true
		case strings.Contains(part, "="):
			r.label, r.value, _ = strings.Cut(part, "=")
			r.value = strings.TrimPrefix(r.value, "=")
		default:
			r.label, r.negate = strings.CutPrefix(part, "!")
			r.anyValue = true
		}
		r.label, r.value = strings.TrimSpace(r.label), strings.TrimSpace(r.value)
		if r.label == "" || strings.ContainsAny(r.label+r.value, "=! ()<>") {
			return nil, invalid(FieldError{Message: "write it like a=b,c!=d,e,!f", Location: "query.labelSelector", Value: clip(text)})
		}
		sel = append(sel, r)
	}
	return sel, nil
}

func (s selector) matches(labels map[string]string) bool {
	for _, r := range s {
		v, there := labels[r.label]
		if (there && (r.anyValue || v == r.value)) == r.negate {
			return false
		}
	}
	return true
}

// isOfNetwork says whether an endpoint is in, or a router joins, a network of the name.
func isOfNetwork(o topology.Object, name string) bool {
	switch o := o.(type) {
	case *topology.Endpoint:
		return o.Spec.Network == name
	case *topology.Router:
		return slices.Contains(o.Spec.Networks, name)
	}
	return false
}
