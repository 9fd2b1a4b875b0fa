package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/dovetail-sdn/dovetail/topology"
)

// Problem is the answer to every request that failed: RFC 9457 problem details,
// with the extension members that tell which objects are concerned.
type Problem struct {
	// Type is stable and identifies the kind of problem; programs look at it.
	Type   string       `json:"type" doc:"Identifies the kind of problem" example:"urn:dovetail:problem:conflict"`
	Title  string       `json:"title" doc:"The kind of problem in words" example:"Conflict"`
	Status int          `json:"status" doc:"The HTTP status code" example:"409"`
	Detail string       `json:"detail,omitempty" doc:"What is wrong this time, and what to do"`
	Errors []FieldError `json:"errors,omitempty" doc:"The fields that are wrong"`
	// Object is the one that the problem is about.
	Object       *topology.Key  `json:"object,omitempty" doc:"The object that the problem is about"`
	Holder       *topology.Key  `json:"holder,omitempty" doc:"Who holds the value that is in conflict"`
	ReferencedBy []topology.Key `json:"referencedBy,omitempty" doc:"Who still refers to the object (at most 10)"`
	// Stored says, when waiting failed, that the change itself is committed.
	Stored bool `json:"stored,omitempty" doc:"The change is stored all the same: only waiting for it failed"`
	// Unrealized are the objects waited for that are not realized, at most 100.
	Unrealized []ObjectStatus `json:"unrealized,omitempty" doc:"The objects that are not realized (at most 100), each with the hosts that have not acknowledged (at most 20)"`

	headers http.Header
}

// Bounds of a problem: what is wrong may be as large as the request was.
const (
	maxDetail = 2000 // bytes of a text
	maxErrors = 100  // fields
	maxValue  = 500  // bytes of a value as JSON
)

// MarshalJSON shortens what is too long to be read.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type plain Problem // without this method
	q := plain(*p)
	q.Detail = shorten(q.Detail, maxDetail)
	q.Errors = nil
	for _, e := range p.Errors[:min(len(p.Errors), maxErrors)] {
		e.Message, e.Location = shorten(e.Message, maxDetail), shorten(e.Location, maxDetail)
		if s, ok := e.Value.(string); ok {
			e.Value = shorten(s, maxValue)
		} else if b, err := json.Marshal(e.Value); err != nil || len(b) > maxValue {
			e.Value = nil
		}
		q.Errors = append(q.Errors, e)
	}
	return json.Marshal(&q)
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// FieldError names one field that is wrong.
type FieldError struct {
	Message  string `json:"message" doc:"What is wrong with it and what would be right"`
	Location string `json:"location,omitempty" doc:"Where it is" example:"body.spec.subnets[0].gateway"`
	Value    any    `json:"value,omitempty" doc:"What was sent"`
}

// ObjectStatus is an object and how far it has come.
type ObjectStatus struct {
	Object topology.Key    `json:"object"`
	Status topology.Status `json:"status"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType implements huma.ContentTypeFilter (RFC 9457, 3).
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func (p *Problem) withHeader(name, value string) *Problem {
	if p.headers == nil {
		p.headers = http.Header{}
	}
	p.headers.Set(name, value)
	return p
}

// problem makes one; slug identifies the kind.
func problem(status int, slug, title, format string, args ...any) *Problem {
	return &Problem{Type: "urn:dovetail:problem:" + slug, Title: title, Status: status, Detail: fmt.Sprintf(format, args...)}
}

func invalid(errs ...FieldError) *Problem {
	text := make([]string, 0, 3)
	for _, e := range errs[:min(len(errs), 3)] {
		text = append(text, strings.TrimPrefix(e.Location+": ", ": ")+e.Message)
	}
	if len(errs) > 3 {
		text = append(text, fmt.Sprintf("and %d more", len(errs)-3))
	}
	p := problem(http.StatusUnprocessableEntity, "invalid", "Invalid", "%s; nothing was stored", strings.Join(text, "; "))
	p.Errors = errs
	return p
}

func unavailable(format string, args ...any) *Problem {
	return problem(http.StatusServiceUnavailable, "unavailable", "Unavailable", format, args...).withHeader("Retry-After", "1")
}

// domainProblem translates topology's errors; ok is false for any other error.
// locate turns a key and a field into a location in the request.
func domainProblem(err error, locate func(topology.Key, string) string) (p *Problem, ok bool) {
	var (
		bad      *topology.InvalidError
		conflict *topology.ConflictError
		used     *topology.ReferencedError
		missing  *topology.NotFoundError
		exists   *topology.ExistsError
		stale    *topology.StaleError
		key      topology.Key
	)
	switch {
	case errors.As(err, &bad):
		key = bad.Key
		p = invalid(FieldError{Message: bad.Reason, Location: locate(bad.Key, bad.Field)})
	case errors.As(err, &conflict):
		key = conflict.Key
		p = problem(http.StatusConflict, "conflict", "Conflict", "%s; nothing was stored", conflict)
		p.Errors = []FieldError{{Message: conflict.Reason, Location: locate(conflict.Key, conflict.Field)}}
		p.Holder = &conflict.Holder
	case errors.As(err, &used):
		key = used.Key
		p = problem(http.StatusConflict, "referenced", "Still referenced", "%s", used)
		p.ReferencedBy = used.By
	case errors.As(err, &missing):
		key = missing.Key
		p = notFound(missing.Key)
	case errors.As(err, &exists):
		key = exists.Key
		p = problem(http.StatusPreconditionFailed, "exists", "Exists already", "%s, and the request said that it must not (If-None-Match: *)", exists)
	case errors.As(err, &stale):
		key = stale.Key
		p = problem(http.StatusPreconditionFailed, "stale", "Changed meanwhile", "%s", stale)
	default:
		return nil, false
	}
	p.Object = &key
	return p, true
}

func notFound(key topology.Key) *Problem {
	p := problem(http.StatusNotFound, "not-found", "Not found", "%s", &topology.NotFoundError{Key: key})
	p.Object = &key
	return p
}

// bodyLocation is where a field is when the body is the object itself.
func bodyLocation(_ topology.Key, field string) string { return "body." + field }

// commitProblem translates what Intent.Apply returned.
func (s *server) commitProblem(ctx context.Context, err error, locate func(topology.Key, string) string) *Problem {
	if p, ok := domainProblem(err, locate); ok {
		return p
	}
	health, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.CommitTimeout)
	defer cancel()
	if down := s.cfg.Intent.Health(health); down != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		if down == nil {
			down = err
		}
		return unavailable("the store cannot be written: %v; the change may or may not be stored: repeat it, which is safe", down)
	}
	s.cfg.Log.Error().Err(err).Msg("the store refused a change for a reason that the API does not know")
	return problem(http.StatusInternalServerError, "internal", "Internal error", "%v", err)
}

// translateProblems turns huma's own errors into a Problem, so that there is one
// form of error. It is a huma.Transformer.
func translateProblems(ctx huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := fromStatus(e.Status, e.Detail)
	for _, d := range e.Errors {
		f := FieldError{Message: d.Message, Location: d.Location}
		if text, ok := d.Value.(string); ok && len(text) < 200 {
			f.Value = text
		}
		if d.Message == "unknown query parameter" {
			f.Message += "; this operation has " + queryNames(ctx.Operation())
		}
		p.Errors = append(p.Errors, f)
	}
	if len(p.Errors) > 0 {
		p.Detail += ": " + p.Errors[0].Location + ": " + p.Errors[0].Message
	}
	return p, nil
}

func queryNames(op *huma.Operation) string {
	var names []string
	for _, p := range op.Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// fromStatus is for problems that are found before there is an object.
func fromStatus(status int, detail string) *Problem {
	slug := map[int]string{
		http.StatusBadRequest: "bad-request", http.StatusNotFound: "not-found", http.StatusMethodNotAllowed: "method-not-allowed",
		http.StatusRequestTimeout: "timeout", http.StatusRequestEntityTooLarge: "too-large", http.StatusUnsupportedMediaType: "media-type",
		http.StatusUnprocessableEntity: "invalid", http.StatusTooManyRequests: "too-many-requests", http.StatusNotImplemented: "not-implemented",
		http.StatusServiceUnavailable: "unavailable",
	}[status]
	if slug == "" {
		slug = "internal"
	}
	return problem(status, slug, http.StatusText(status), "%s", detail)
}
