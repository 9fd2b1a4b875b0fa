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
//	/dovetail/v1/network/TENANT/NAME         and likewise router/, endpoint/, floatingip/, service/
//	/dovetail/v1/binding/TENANT/ENDPOINT
//	/dovetail/v1/index/vni/NUMBER            the key of the holder; likewise router/NUMBER,
//	                                         datapath/NUMBER, host/NUMBER, interface/ID
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
	case *topology.Network, *topology.Endpoint:
		return []string{o.Meta().Tenant}
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

// indexKeys are the keys of what an object holds that is unique across tenants. An
// interface id with a '/' is one of its tenant's own, where the guard is enough.
func indexKeys(o topology.Object) []string {
	switch o := o.(type) {
	case *topology.Network:
		return []string{indexPrefix + "vni/" + strconv.FormatUint(uint64(o.Allocated.VNI), 10)}
	case *topology.Router:
		keys := []string{indexPrefix + "router/" + strconv.FormatUint(uint64(o.Allocated.ID), 10)}
		for _, a := range o.Allocated.Gateways {
			keys = append(keys, indexPrefix+"vni/"+strconv.FormatUint(uint64(a.VNI), 10))
		}
		return keys
	case *topology.Endpoint:
		if strings.Contains(o.Allocated.InterfaceID, "/") {
			return nil
		}
		return []string{indexPrefix + "interface/" + o.Allocated.InterfaceID}
	case *topology.Host:
		keys := []string{indexPrefix + "datapath/" + strconv.FormatUint(o.Allocated.DatapathID, 16)}
		if o.Allocated.ID != 0 { // an earlier version gave none
			keys = append(keys, indexPrefix+"host/"+strconv.FormatUint(uint64(o.Allocated.ID), 10))
		}
		return keys
	}
	return nil
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
