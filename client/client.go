// Package client is the Go client of the REST API. The command line tool uses it.
//
// It owns the way to the API and the API's types; it keeps no state and caches
// nothing. All methods are safe for concurrent use, and return a *Problem for
// whatever the API refuses.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 64 << 20

// Client talks to one API.
type Client struct {
	base *url.URL
	http *http.Client
}

// New returns a client of the API at base, like http://127.0.0.1:8181. A nil hc
// means one with default settings; TLS goes into hc's transport. hc should have no
// timeout, because waiting and events last long: contexts bound the calls.
func New(base string, hc *http.Client) (*Client, error) {
	u, err := url.Parse(strings.TrimSuffix(base, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the address of an API; write it like http://127.0.0.1:8181", base)
	}
	if hc == nil {
		hc = &http.Client{}
	}
	return &Client{base: u, http: hc}, nil
}

// Request is one call of the API, for what has no method of its own.
type Request struct {
	Method, Path string // Path is already escaped
	Query        url.Values
	Header       http.Header
	Body         []byte
}

// Do sends a request and returns the answer's body as it is.
func (c *Client) Do(ctx context.Context, r Request) ([]byte, http.Header, error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return nil, nil, fmt.Errorf("the server answers with a page for people: is %s a Dovetail controller?", resp.Request.URL.Host)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: reading the answer: %w", r.Method, r.Path, err)
	}
	if len(b) > maxAnswer {
		return nil, nil, fmt.Errorf("%s %s: the answer is larger than %d bytes", r.Method, r.Path, maxAnswer)
	}
	return b, resp.Header, nil
}

// send returns an answer that is no problem.
func (c *Client) send(ctx context.Context, r Request) (*http.Response, error) {
	target := c.base.String() + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err // it names method and URL
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, readProblem(resp)
	}
	return resp, nil
}

func (c *Client) doJSON(ctx context.Context, r Request, into any) error {
	b, _, err := c.Do(ctx, r)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s %s: the answer is not what was expected: %w", r.Method, r.Path, err)
	}
	return nil
}

// Path is where the API has the object; without a name, the list of the kind, of
// all tenants if it has no tenant either.
func Path(key topology.Key) string {
	p := "/v1"
	if key.Tenant != "" {
		p += "/tenants/" + url.PathEscape(key.Tenant)
	}
	p += "/" + key.Kind.Plural()
	if key.Name != "" {
		p += "/" + url.PathEscape(key.Name)
	}
	return p
}

// Version is what the server says of itself.
type Version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	API      string `json:"api"`
}

// Version asks what is running.
func (c *Client) Version(ctx context.Context) (Version, error) {
	var v Version
	return v, c.doJSON(ctx, Request{Method: http.MethodGet, Path: "/v1/version"}, &v)
}

// Ready returns nil if the controller is ready.
func (c *Client) Ready(ctx context.Context) error {
	return c.doJSON(ctx, Request{Method: http.MethodGet, Path: "/readyz"}, nil)
}

// Whose returns the objects that the flows with a cookie realize.
func (c *Client) Whose(ctx context.Context, cookie uint64) ([]topology.Key, error) {
	var info struct {
		Cookie  string         `json:"cookie"`
		Objects []topology.Key `json:"objects"`
	}
	err := c.doJSON(ctx, Request{Method: http.MethodGet, Path: fmt.Sprintf("/v1/cookies/%#x", cookie)}, &info)
	return info.Objects, err
}

// Applied is what became of one object of a manifest: Result is created, updated
// or unchanged.
type Applied struct {
	topology.Key
	Result   string `json:"result"`
	Revision int64  `json:"revision,omitempty"`
}

// ApplyOptions are those of Apply.
type ApplyOptions struct {
	DryRun bool
	// Wait > 0 waits so long, at most 5 minutes, until all is realized.
	Wait time.Duration
}

// Apply creates or replaces the objects of a YAML or JSON manifest in one
// transaction.
func (c *Client) Apply(ctx context.Context, manifest []byte, o ApplyOptions) ([]Applied, error) {
	q := url.Values{}
	if o.DryRun {
		q.Set("dryRun", "true")
	}
	setWait(q, o.Wait)
	var res struct {
		DryRun  bool      `json:"dryRun"`
		Results []Applied `json:"results"`
	}
	err := c.doJSON(ctx, Request{Method: http.MethodPost, Path: "/v1/apply", Query: q, Header: header("Content-Type", "application/yaml"), Body: manifest}, &res)
	return res.Results, err
}

// maxWait is the longest time that the API waits.
const maxWait = 5 * time.Minute

func setWait(q url.Values, d time.Duration) {
	if d > 0 {
		q.Set("wait", "realized")
		q.Set("timeout", max(min(d, maxWait).Round(time.Millisecond), time.Millisecond).String())
	}
}

func header(name, value string) http.Header { return http.Header{name: {value}} }

// Wait returns when the object is realized; with a *Problem if it has failed or is
// not realized in time. It may wait longer than the 5 minutes of one request.
func (c *Client) Wait(ctx context.Context, key topology.Key, timeout time.Duration) error {
	end := time.Now().Add(timeout)
	for {
		q := url.Values{}
		setWait(q, max(time.Until(end), time.Millisecond))
		err := c.doJSON(ctx, Request{Method: http.MethodGet, Path: Path(key), Query: q}, nil)
		if p, ok := AsProblem(err); !ok || p.Status != http.StatusGatewayTimeout || time.Now().After(end) {
			return err
		}
	}
}
