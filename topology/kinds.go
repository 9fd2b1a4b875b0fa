package topology

import "strings"

// kinds is what there is to know of each kind of resource, in the order of creation:
// what an object refers to comes before it; removal goes the other way.
var kinds = []struct {
	kind   Kind
	plural string // in the API's paths and on the command line
	scoped bool   // belongs to a tenant
	fresh  func() Object
}{
	{KindHost, "hosts", false, func() Object { return &Host{} }},
	{KindExternalNetwork, "external-networks", false, func() Object { return &ExternalNetwork{} }},
	{KindGateway, "gateways", false, func() Object { return &Gateway{} }},
	{KindTenant, "tenants", false, func() Object { return &Tenant{} }},
	{KindNetwork, "networks", true, func() Object { return &Network{} }},
	{KindRouter, "routers", true, func() Object { return &Router{} }},
	{KindEndpoint, "endpoints", true, func() Object { return &Endpoint{} }},
	{KindServiceFunction, "service-functions", true, func() Object { return &ServiceFunction{} }},
	{KindChain, "chains", true, func() Object { return &Chain{} }},
	{KindFloatingIP, "floating-ips", true, func() Object { return &FloatingIP{} }},
	{KindService, "services", true, func() Object { return &Service{} }},
}

// Kinds are all kinds of resource in the order of creation: what an object refers
// to comes before it.
func Kinds() []Kind {
	list := make([]Kind, len(kinds))
	for i, k := range kinds {
		list[i] = k.kind
	}
	return list
}

// kindList is for messages.
func kindList() string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k.kind)
	}
	return strings.Join(names, ", ")
}

// Order is the kind's place in Kinds, or -1.
func (k Kind) Order() int {
	for i := range kinds {
		if kinds[i].kind == k {
			return i
		}
	}
	return -1
}

// Scoped says whether objects of the kind belong to a tenant.
func (k Kind) Scoped() bool {
	i := k.Order()
	return i >= 0 && kinds[i].scoped
}

// Plural is the kind in the API's paths and on the command line ("floating-ips"), ""
// for an unknown one.
func (k Kind) Plural() string {
	if i := k.Order(); i >= 0 {
		return kinds[i].plural
	}
	return ""
}

// New returns an empty object of the kind, or nil for an unknown one.
func New(kind Kind) Object {
	if i := kind.Order(); i >= 0 {
		return kinds[i].fresh()
	}
	return nil
}
