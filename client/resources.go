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

// The kinds of resource, as the API shows them.
type (
	Tenant          = topology.Resource[topology.TenantSpec, topology.TenantStatus]
	Network         = topology.Resource[topology.NetworkSpec, topology.NetworkStatus]
	Router          = topology.Resource[topology.RouterSpec, topology.RouterStatus]
	Endpoint        = topology.Resource[topology.EndpointSpec, topology.EndpointStatus]
	Host            = topology.Resource[topology.HostSpec, topology.HostStatus]
	ExternalNetwork = topology.Resource[topology.ExternalNetworkSpec, topology.ExternalNetworkStatus]
	Gateway         = topology.Resource[topology.GatewaySpec, topology.GatewayStatus]
	FloatingIP      = topology.Resource[topology.FloatingIPSpec, topology.FloatingIPStatus]
	Service         = topology.Resource[topology.ServiceSpec, topology.ServiceStatus]
	ServiceFunction = topology.Resource[topology.ServiceFunctionSpec, topology.ServiceFunctionStatus]
	Chain           = topology.Resource[topology.ChainSpec, topology.ChainStatus]
)

// Collection is the objects of one kind, of one tenant if the kind has tenants.
type Collection[S, T any] struct {
	c   *Client
	key topology.Key // without a name
}

// Tenants are all tenants.
func (c *Client) Tenants() Collection[topology.TenantSpec, topology.TenantStatus] {
	return Collection[topology.TenantSpec, topology.TenantStatus]{c, topology.Key{Kind: topology.KindTenant}}
}

// Networks are those of a tenant; "" is good for List alone, and means all.
func (c *Client) Networks(tenant string) Collection[topology.NetworkSpec, topology.NetworkStatus] {
	return Collection[topology.NetworkSpec, topology.NetworkStatus]{c, topology.Key{Kind: topology.KindNetwork, Tenant: tenant}}
}

// Routers are those of a tenant; "" is good for List alone, and means all.
func (c *Client) Routers(tenant string) Collection[topology.RouterSpec, topology.RouterStatus] {
	return Collection[topology.RouterSpec, topology.RouterStatus]{c, topology.Key{Kind: topology.KindRouter, Tenant: tenant}}
}

// Endpoints are those of a tenant; "" is good for List alone, and means all.
func (c *Client) Endpoints(tenant string) Collection[topology.EndpointSpec, topology.EndpointStatus] {
	return Collection[topology.EndpointSpec, topology.EndpointStatus]{c, topology.Key{Kind: topology.KindEndpoint, Tenant: tenant}}
}

// Hosts are all hosts.
func (c *Client) Hosts() Collection[topology.HostSpec, topology.HostStatus] {
	return Collection[topology.HostSpec, topology.HostStatus]{c, topology.Key{Kind: topology.KindHost}}
}

// ExternalNetworks are all external networks.
func (c *Client) ExternalNetworks() Collection[topology.ExternalNetworkSpec, topology.ExternalNetworkStatus] {
	return Collection[topology.ExternalNetworkSpec, topology.ExternalNetworkStatus]{c, topology.Key{Kind: topology.KindExternalNetwork}}
}

// Gateways are all gateways.
func (c *Client) Gateways() Collection[topology.GatewaySpec, topology.GatewayStatus] {
	return Collection[topology.GatewaySpec, topology.GatewayStatus]{c, topology.Key{Kind: topology.KindGateway}}
}

// FloatingIPs are those of a tenant; "" is good for List alone, and means all.
func (c *Client) FloatingIPs(tenant string) Collection[topology.FloatingIPSpec, topology.FloatingIPStatus] {
	return Collection[topology.FloatingIPSpec, topology.FloatingIPStatus]{c, topology.Key{Kind: topology.KindFloatingIP, Tenant: tenant}}
}

// Services are those of a tenant; "" is good for List alone, and means all.
func (c *Client) Services(tenant string) Collection[topology.ServiceSpec, topology.ServiceStatus] {
	return Collection[topology.ServiceSpec, topology.ServiceStatus]{c, topology.Key{Kind: topology.KindService, Tenant: tenant}}
}

// ServiceFunctions are those of a tenant; "" is good for List alone, and means all.
func (c *Client) ServiceFunctions(tenant string) Collection[topology.ServiceFunctionSpec, topology.ServiceFunctionStatus] {
	return Collection[topology.ServiceFunctionSpec, topology.ServiceFunctionStatus]{c, topology.Key{Kind: topology.KindServiceFunction, Tenant: tenant}}
}

// Chains are those of a tenant; "" is good for List alone, and means all.
func (c *Client) Chains(tenant string) Collection[topology.ChainSpec, topology.ChainStatus] {
	return Collection[topology.ChainSpec, topology.ChainStatus]{c, topology.Key{Kind: topology.KindChain, Tenant: tenant}}
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
func (col Collection[S, T]) Get(ctx context.Context, name string) (*topology.Resource[S, T], error) {
	path, err := col.path(name)
	if err != nil {
		return nil, err
	}
	var res topology.Resource[S, T]
	if err := col.c.doJSON(ctx, Request{Method: http.MethodGet, Path: path}, &res); err != nil {
		return nil, err
	}
	return &res, nil
}

// Put creates or replaces the object and returns it as it is then.
func (col Collection[S, T]) Put(ctx context.Context, name string, labels map[string]string, spec S, o WriteOptions) (*topology.Resource[S, T], error) {
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels}, "spec": spec})
	if err != nil {
		return nil, fmt.Errorf("writing %s %s as JSON: %w", col.key.Kind, name, err)
	}
	return col.write(ctx, http.MethodPut, name, "application/json", body, o)
}

// Patch changes some fields, with a JSON merge patch (RFC 7396) that patch is
// written as, and returns the object as it is then.
func (col Collection[S, T]) Patch(ctx context.Context, name string, patch any, o WriteOptions) (*topology.Resource[S, T], error) {
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("writing the patch of %s %s as JSON: %w", col.key.Kind, name, err)
	}
	return col.write(ctx, http.MethodPatch, name, "application/merge-patch+json", body, o)
}

func (col Collection[S, T]) write(ctx context.Context, method, name, contentType string, body []byte, o WriteOptions) (*topology.Resource[S, T], error) {
	path, err := col.path(name)
	if err != nil {
		return nil, err
	}
	r := o.request(method, path, contentType)
	r.Body = body
	var res topology.Resource[S, T]
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
func (col Collection[S, T]) List(ctx context.Context, o ListOptions) ([]*topology.Resource[S, T], error) {
	var all []*topology.Resource[S, T]
	err := col.c.Pages(ctx, col.key, o, func(page []byte) error {
		var p struct{ Items []*topology.Resource[S, T] }
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
