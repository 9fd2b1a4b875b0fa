package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// Resource is one object as the API shows it. Whoever writes it sets Metadata's
// Name and Labels and the Spec; the server sets the rest.
type Resource[S, T any] struct {
	Kind     topology.Kind     `json:"kind"`
	Metadata topology.Metadata `json:"metadata"`
	Spec     S                 `json:"spec"`
	Status   T                 `json:"status"`
}

// The kinds of resource.
type (
	Tenant   = Resource[topology.TenantSpec, TenantStatus]
	Network  = Resource[topology.NetworkSpec, NetworkStatus]
	Router   = Resource[topology.RouterSpec, RouterStatus]
	Endpoint = Resource[topology.EndpointSpec, EndpointStatus]
	Host     = Resource[topology.HostSpec, HostStatus]

	ExternalNetwork = Resource[topology.ExternalSpec, ExternalStatus]
	Gateway         = Resource[topology.GatewaySpec, GatewayStatus]
	FloatingIP      = Resource[topology.FloatingIPSpec, FloatingIPStatus]
)

// TenantStatus is what was found out about a tenant.
type TenantStatus struct{ topology.Status }

// NetworkStatus is what was found out about a network and allocated for it.
type NetworkStatus struct {
	topology.Status
	topology.NetworkAllocation
}

// RouterStatus is what was found out about a router and allocated for it.
type RouterStatus struct {
	topology.Status
	topology.RouterAllocation
}

// EndpointStatus is what was found out about an endpoint and allocated for it.
type EndpointStatus struct {
	topology.Status
	topology.EndpointAllocation
}

// HostStatus is what was found out about a host and allocated for it.
type HostStatus struct {
	topology.Status
	topology.HostAllocation
	DatapathID string `json:"datapathID"` // 16 hexadecimal digits
}

// ExternalStatus is what was found out about an external network and allocated
// for it.
type ExternalStatus struct {
	topology.Status
	topology.ExternalAllocation
}

// GatewayStatus is what was found out about a gateway and allocated for it.
type GatewayStatus struct {
	topology.Status
	topology.GatewayAllocation
}

// FloatingIPStatus is what was found out about a floating IP and allocated for it.
type FloatingIPStatus struct {
	topology.Status
	topology.FloatingIPAllocation
}

// Collection is the objects of one kind, of one tenant if the kind has tenants.
type Collection[S, T any] struct {
	c   *Client
	key topology.Key // without a name
}

// Tenants are all tenants.
func (c *Client) Tenants() Collection[topology.TenantSpec, TenantStatus] {
	return Collection[topology.TenantSpec, TenantStatus]{c, topology.Key{Kind: topology.KindTenant}}
}

// Networks are those of a tenant; "" is good for List alone, and means all.
func (c *Client) Networks(tenant string) Collection[topology.NetworkSpec, NetworkStatus] {
	return Collection[topology.NetworkSpec, NetworkStatus]{c, topology.Key{Kind: topology.KindNetwork, Tenant: tenant}}
}

// Routers are those of a tenant; "" is good for List alone, and means all.
func (c *Client) Routers(tenant string) Collection[topology.RouterSpec, RouterStatus] {
	return Collection[topology.RouterSpec, RouterStatus]{c, topology.Key{Kind: topology.KindRouter, Tenant: tenant}}
}

// Endpoints are those of a tenant; "" is good for List alone, and means all.
func (c *Client) Endpoints(tenant string) Collection[topology.EndpointSpec, EndpointStatus] {
	return Collection[topology.EndpointSpec, EndpointStatus]{c, topology.Key{Kind: topology.KindEndpoint, Tenant: tenant}}
}

// Hosts are all hosts.
func (c *Client) Hosts() Collection[topology.HostSpec, HostStatus] {
	return Collection[topology.HostSpec, HostStatus]{c, topology.Key{Kind: topology.KindHost}}
}

// ExternalNetworks are all external networks.
func (c *Client) ExternalNetworks() Collection[topology.ExternalSpec, ExternalStatus] {
	return Collection[topology.ExternalSpec, ExternalStatus]{c, topology.Key{Kind: topology.KindExternal}}
}

// Gateways are all gateways.
func (c *Client) Gateways() Collection[topology.GatewaySpec, GatewayStatus] {
	return Collection[topology.GatewaySpec, GatewayStatus]{c, topology.Key{Kind: topology.KindGateway}}
}

// FloatingIPs are those of a tenant; "" is good for List alone, and means all.
func (c *Client) FloatingIPs(tenant string) Collection[topology.FloatingIPSpec, FloatingIPStatus] {
	return Collection[topology.FloatingIPSpec, FloatingIPStatus]{c, topology.Key{Kind: topology.KindFloating, Tenant: tenant}}
}

func (col Collection[S, T]) path(name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("%s without a name", col.key.Kind)
	}
	key := col.key
	key.Name = name
	return Path(key), nil
}

// WriteOptions are those of a change; the zero value changes unconditionally and
// does not wait.
type WriteOptions struct {
	// IfRevision > 0: the object must still be at this Metadata.Revision.
	IfRevision int64
	// IfNew: the object must not exist yet.
	IfNew bool
	// Wait > 0 waits so long, at most 5 minutes, until the change is realized.
	Wait time.Duration
}

func (o WriteOptions) request(method, path, contentType string) Request {
	r := Request{Method: method, Path: path, Query: url.Values{}, Header: http.Header{}}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if o.IfRevision > 0 {
		r.Header.Set("If-Match", strconv.Quote(strconv.FormatInt(o.IfRevision, 10)))
	}
	if o.IfNew {
		r.Header.Set("If-None-Match", "*")
	}
	setWait(r.Query, o.Wait)
	return r
}

// Get returns one object.
func (col Collection[S, T]) Get(ctx context.Context, name string) (*Resource[S, T], error) {
	path, err := col.path(name)
	if err != nil {
		return nil, err
	}
	var res Resource[S, T]
	if err := col.c.doJSON(ctx, Request{Method: http.MethodGet, Path: path}, &res); err != nil {
		return nil, err
	}
	return &res, nil
}

// Put creates or replaces the object and returns it as it is then.
func (col Collection[S, T]) Put(ctx context.Context, name string, labels map[string]string, spec S, o WriteOptions) (*Resource[S, T], error) {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels}, "spec": spec})
	if err != nil {
		return nil, fmt.Errorf("writing %s %s as JSON: %w", col.key.Kind, name, err)
	}
	return col.write(ctx, http.MethodPut, name, "application/json", body, o)
}

// Patch changes some fields, with a JSON merge patch (RFC 7396) that patch is
// written as, and returns the object as it is then.
func (col Collection[S, T]) Patch(ctx context.Context, name string, patch any, o WriteOptions) (*Resource[S, T], error) {
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("writing the patch of %s %s as JSON: %w", col.key.Kind, name, err)
	}
	return col.write(ctx, http.MethodPatch, name, "application/merge-patch+json", body, o)
}

func (col Collection[S, T]) write(ctx context.Context, method, name, contentType string, body []byte, o WriteOptions) (*Resource[S, T], error) {
	path, err := col.path(name)
	if err != nil {
		return nil, err
	}
	r := o.request(method, path, contentType)
	r.Body = body
	var res Resource[S, T]
	if err := col.c.doJSON(ctx, r, &res); err != nil {
		return nil, err
	}
	return &res, nil
}

// Delete removes one object.
func (col Collection[S, T]) Delete(ctx context.Context, name string, o WriteOptions) error {
	key := col.key
	key.Name = name
	return col.c.Delete(ctx, key, o)
}

// Wait is Client.Wait for one object.
func (col Collection[S, T]) Wait(ctx context.Context, name string, timeout time.Duration) error {
	key := col.key
	key.Name = name
	return col.c.Wait(ctx, key, timeout)
}

// Delete removes one object of any kind.
func (c *Client) Delete(ctx context.Context, key topology.Key, o WriteOptions) error {
	if key.Name == "" {
		return fmt.Errorf("%s without a name", key.Kind)
	}
	return c.doJSON(ctx, o.request(http.MethodDelete, Path(key), ""), nil)
}

// ListOptions narrow a list; the zero value is everything.
type ListOptions struct {
	LabelSelector string // "a=b,c!=d,e,!f"
	NamePrefix    string
	Network       string // endpoints and routers only
	PageSize      int    // 1 to 1000; 0 means 500
}

// List returns the objects, sorted by tenant and name. It reads page after page.
func (col Collection[S, T]) List(ctx context.Context, o ListOptions) ([]*Resource[S, T], error) {
	var all []*Resource[S, T]
	err := col.c.Pages(ctx, col.key, o, func(page []byte) error {
		var p struct{ Items []*Resource[S, T] }
		if err := json.Unmarshal(page, &p); err != nil {
			return fmt.Errorf("listing %ss: %w", col.key.Kind, err)
		}
		all = append(all, p.Items...)
		return nil
	})
	return all, err
}

// Pages calls fn with each page of a list as JSON. Of key, the name is ignored.
func (c *Client) Pages(ctx context.Context, key topology.Key, o ListOptions, fn func(page []byte) error) error {
	key.Name = ""
	q := url.Values{}
	for name, value := range map[string]string{"labelSelector": o.LabelSelector, "namePrefix": o.NamePrefix, "network": o.Network} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.PageSize > 0 {
		q.Set("limit", strconv.Itoa(o.PageSize))
	}
	for {
		b, _, err := c.Do(ctx, Request{Method: http.MethodGet, Path: Path(key), Query: q})
		if err != nil {
			return err
		}
		if err := fn(b); err != nil {
			return err
		}
		var next struct{ Continue string }
		if err := json.Unmarshal(b, &next); err != nil {
			return fmt.Errorf("listing %ss: %w", key.Kind, err)
		}
		if next.Continue == "" {
			return nil
		}
		q.Set("continue", next.Continue)
	}
}
