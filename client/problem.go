package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/dovetail-sdn/dovetail/topology"
)

// Problem is why the API refused a request (RFC 9457).
type Problem struct {
	Type         string         `json:"type"` // "urn:dovetail:problem:conflict"
	Title        string         `json:"title"`
	Status       int            `json:"status"` // HTTP status code
	Detail       string         `json:"detail,omitempty"`
	Errors       []FieldError   `json:"errors,omitempty"`
	Object       *topology.Key  `json:"object,omitempty"`
	Holder       *topology.Key  `json:"holder,omitempty"`
	ReferencedBy []topology.Key `json:"referencedBy,omitempty"`
	Stored       bool           `json:"stored,omitempty"` // only waiting failed
	Unrealized   []ObjectStatus `json:"unrealized,omitempty"`
}

// FieldError names one field that is wrong.
type FieldError struct {
	Message  string `json:"message"`
	Location string `json:"location,omitempty"` // "body.spec.subnets[0].gateway"
	Value    any    `json:"value,omitempty"`
}

// ObjectStatus is an object and how far it has come.
type ObjectStatus struct {
	Object topology.Key    `json:"object"`
	Status topology.Status `json:"status"`
}

// Error implements error; it is one line.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = fmt.Sprintf("%s (HTTP %d)", p.Title, p.Status)
	}
	return strings.Join(strings.Fields(text), " ")
}

// AsProblem finds the problem in an error.
func AsProblem(err error) (*Problem, bool) {
	var p *Problem
	return p, errors.As(err, &p)
}

// IsNotFound says whether the object does not exist.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsConflict says whether another object holds the value, or still refers to the
// object.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

// IsStale says whether the object was changed meanwhile, or exists although it had
// to be new.
func IsStale(err error) bool { return hasStatus(err, http.StatusPreconditionFailed) }

// IsNotRealized says whether a change is stored but was not realized in time.
func IsNotRealized(err error) bool { return hasStatus(err, http.StatusGatewayTimeout) }

func hasStatus(err error, status int) bool {
	p, ok := AsProblem(err)
	return ok && p.Status == status
}

// readProblem also makes one of what a proxy or another server answers.
func readProblem(resp *http.Response) *Problem {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what came is enough
	var p Problem
	if json.Unmarshal(b, &p) != nil || p.Status == 0 {
		detail := fmt.Sprintf("the server answered %s without problem details: is %s a Dovetail controller?", resp.Status, resp.Request.URL.Host)
		if strings.Contains(string(b), "HTTP request to an HTTPS server") { // as net/http says it
			detail = fmt.Sprintf("what listens at %s speaks HTTPS: write https://%[1]s", resp.Request.URL.Host)
		}
		return &Problem{Type: "about:blank", Title: http.StatusText(resp.StatusCode), Status: resp.StatusCode, Detail: detail}
	}
	return &p
}
