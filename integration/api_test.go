package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// api drives the controller as a user with curl would: what a test sends and sees
// is what goes over the wire.
type api struct {
	base string
	http http.Client
}

func newAPI(base string) *api { return &api{base: base, http: http.Client{Timeout: 90 * time.Second}} }

// resource is any object as REST gives it.
type resource struct {
	Kind     string
	Metadata topology.Metadata
	Spec     json.RawMessage
	Status   struct {
		topology.Status
		VNI         uint32                 `json:"vni"`
		MTU         int                    `json:"mtu"`
		Subnets     []topology.Subnet      `json:"subnets"`
		Addresses   []string               `json:"addresses"`
		MAC         string                 `json:"mac"`
		InterfaceID string                 `json:"interfaceID"`
		Gateways    []topology.Attachment  `json:"gateways"`
		Lanes       []topology.GatewayLane `json:"lanes"`
	}
}

// do sends a request and returns the answer's status code and body.
func (a *api) do(method, path, contentType string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := a.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	return res.StatusCode, data, err
}

// must is do for a request that has to succeed.
func (a *api) must(t testing.TB, method, path, contentType string, body []byte) []byte {
	t.Helper()
	code, data, err := a.do(method, path, contentType, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if code >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, code, data)
	}
	return data
}

// apply commits a manifest.
func (a *api) apply(t testing.TB, manifest string) {
	t.Helper()
	a.must(t, "POST", "/v1/apply", "application/yaml", []byte(manifest))
}

func (a *api) get(t testing.TB, path string) resource {
	t.Helper()
	var r resource
	if err := json.Unmarshal(a.must(t, "GET", path, "", nil), &r); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return r
}

// delete removes an object and waits until no switch has anything of it.
func (a *api) delete(t testing.TB, path string) {
	t.Helper()
	a.must(t, "DELETE", path+"?wait=realized&timeout=20s", "", nil)
}

// realized waits until the object is in every switch that it concerns.
func (a *api) realized(t testing.TB, paths ...string) {
	t.Helper()
	for _, p := range paths {
		eventually(t, 30*time.Second, func() error {
			r := a.get(t, p)
			if r.Status.Phase != topology.PhaseRealized {
				return fmt.Errorf("%s is %s: %s", p, r.Status.Phase, r.Status.Reason)
			}
			return nil
		})
	}
}

// endpointPath is the path of an endpoint given as TENANT/NAME.
func endpointPath(id string) string {
	tenant, name, _ := strings.Cut(id, "/")
	return "/v1/tenants/" + tenant + "/endpoints/" + name
}

// metric reads the sum of a metric over its labels.
func (a *api) metric(t testing.TB, name string) float64 {
	t.Helper()
	sum, found := 0.0, false
	for _, line := range strings.Split(string(a.must(t, "GET", "/metrics", "", nil)), "\n") {
		var v float64
		if rest, ok := strings.CutPrefix(line, name); ok && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "{")) {
			if _, err := fmt.Sscanf(rest[strings.LastIndex(rest, " ")+1:], "%g", &v); err == nil {
				sum += v
				found = true
			}
		}
	}
	if !found && !contains(string(a.must(t, "GET", "/metrics", "", nil)), "# TYPE "+name) {
		t.Fatalf("there is no metric %s", name)
	}
	return sum
}

// eventually tries until ok returns no error.
func eventually(t testing.TB, limit time.Duration, ok func() error) {
	t.Helper()
	end := time.Now().Add(limit)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: %v", limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
