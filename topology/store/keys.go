package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/dovetail-sdn/dovetail/topology"
)

// The key layout. Everything of one version of the layout is below one prefix.
//
//	/dovetail/schema                         version of the layout
//	/dovetail/v1/head                        written by every commit: its revision is the store's
//	/dovetail/v1/guard/TENANT                written by every commit that touches the tenant
//	/dovetail/v1/guard/@external             likewise gateways and what refers to them
//	/dovetail/v1/tenant/NAME                 and likewise host/, externalnetwork/, gateway/
//	/dovetail/v1/network/TENANT/NAME         and likewise router/, endpoint/, floatingip/, service/,
//	                                         servicefunction/, chain/
//	/dovetail/v1/binding/TENANT/ENDPOINT
//	/dovetail/v1/index/vni/NUMBER            the key of the holder; likewise router/NUMBER,
//	                                         datapath/NUMBER, host/NUMBER, interface/ID,
//	                                         function/NUMBER, chain/NUMBER, zone/NUMBER
const (
	schemaKey     = "/dovetail/schema"
	schemaVersion = 1
	prefix        = "/dovetail/v1/"
	headKey       = prefix + "head"
	guardPrefix   = prefix + "guard/"
	bindingPrefix = prefix + "binding/"
	indexPrefix   = prefix + "index/"
)

func guardKey(tenant string) string { return guardPrefix + tenant }

func bindingKey(endpoint topology.Key) string {
	return bindingPrefix + endpoint.Tenant + "/" + endpoint.Name
}

// segment is the kind's part of a key.
func segment(k topology.Kind) string { return strings.ToLower(string(k)) }

func objectKey(k topology.Key) string {
	if k.Tenant != "" {
		return prefix + segment(k.Kind) + "/" + k.Tenant + "/" + k.Name
	}
	return prefix + segment(k.Kind) + "/" + k.Name
}

// parseObjectKey is the inverse of objectKey; false for keys that hold no object.
func parseObjectKey(s string) (topology.Key, bool) {
	seg, rest, _ := strings.Cut(strings.TrimPrefix(s, prefix), "/")
	for _, k := range topology.Kinds() {
		if segment(k) != seg {
			continue
		}
		if !k.Scoped() {
			return topology.Key{Kind: k, Name: rest}, true
		}
		tenant, name, ok := strings.Cut(rest, "/")
		return topology.Key{Kind: k, Tenant: tenant, Name: name}, ok
	}
	return topology.Key{}, false
}

// externalGuard protects external networks, gateways, and the addresses, subnets and
// references of tenants' objects there. No tenant can have its name.
const externalGuard = "@external"

// guards are those that protect an object.
func guards(o topology.Object) []string {
	switch o := o.(type) {
	case *topology.Tenant:
		return []string{o.Metadata.Name}
	case *topology.Network, *topology.Endpoint, *topology.ServiceFunction:
		return []string{o.Meta().Tenant}
	case *topology.Chain:
		return chainGuards(o)
	case *topology.Router:
		if len(o.Allocated.Gateways) == 0 {
			return []string{o.Metadata.Tenant}
		}
		return []string{o.Metadata.Tenant, externalGuard}
	case *topology.FloatingIP, *topology.Service:
		return []string{o.Meta().Tenant, externalGuard}
	case *topology.ExternalNetwork, *topology.Gateway:
		return []string{externalGuard}
	}
	return nil
}

// chainGuards are those of the chain's own tenant, and of the tenants whose functions it
// uses: they must neither delete nor stop sharing them meanwhile, and chains of others
// must not take the same VLANs there.
func chainGuards(c *topology.Chain) []string {
	list := []string{c.Metadata.Tenant}
	for _, f := range c.FunctionKeys() {
		if f.Tenant != c.Metadata.Tenant {
			list = append(list, f.Tenant)
		}
	}
	return list
}

// indexKeys are the keys of what an object holds that is unique across tenants. An
// interface id with a '/' is one of its tenant's own, where the guard is enough. Zones of
// routers have had keys only since there are chains: those that an earlier version
// stored are known from the objects.
func indexKeys(o topology.Object) []string {
	switch o := o.(type) {
	case *topology.Network:
		return []string{indexKey("vni", o.Allocated.VNI)}
	case *topology.Router:
		keys := []string{indexKey("router", o.Allocated.ID)}
		for _, a := range o.Allocated.Gateways {
			keys = append(keys, indexKey("vni", a.VNI), indexKey("zone", a.Zone))
		}
		return keys
	case *topology.ServiceFunction:
		return []string{indexKey("function", o.Allocated.ID)}
	case *topology.Chain:
		return []string{indexKey("chain", o.Allocated.ID), indexKey("zone", o.Allocated.Zone)}
	case *topology.Endpoint:
		if strings.Contains(o.Allocated.InterfaceID, "/") {
			return nil
		}
		return []string{indexPrefix + "interface/" + o.Allocated.InterfaceID}
	case *topology.Host:
		keys := []string{indexPrefix + "datapath/" + strconv.FormatUint(o.Allocated.DatapathID, 16)}
		if o.Allocated.ID != 0 { // an earlier version gave none
			keys = append(keys, indexKey("host", o.Allocated.ID))
		}
		return keys
	}
	return nil
}

func indexKey(of string, number uint32) string {
	return indexPrefix + of + "/" + strconv.FormatUint(uint64(number), 10)
}

// encode is the stored form of an object; its revision is the key's own.
func encode(o topology.Object) (string, error) {
	if o.Meta().Revision != 0 {
		o = o.Clone()
		o.Meta().Revision = 0
	}
	b, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("encoding %s: %w", o.Key(), err)
	}
	return string(b), nil
}

func decode(key topology.Key, value []byte, revision int64) (topology.Object, error) {
	o := topology.New(key.Kind)
	if err := json.Unmarshal(value, o); err != nil {
		return nil, fmt.Errorf("reading %s from etcd: %w", key, err)
	}
	if o.Key() != key {
		return nil, fmt.Errorf("reading %s from etcd: the value is that of %s", key, o.Key())
	}
	o.Meta().Revision = revision
	return o, nil
}

func decodeBinding(key string, value []byte) (*topology.Binding, error) {
	b := &topology.Binding{}
	if err := json.Unmarshal(value, b); err != nil {
		return nil, fmt.Errorf("reading %s from etcd: %w", key, err)
	}
	if bindingKey(b.Endpoint) != key {
		return nil, fmt.Errorf("reading %s from etcd: the value is of %s", key, b.Endpoint)
	}
	return b, nil
}
