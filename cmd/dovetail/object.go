package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"unicode"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/topology"
)

// object is an object of any kind, as far as tables show it.
type object struct {
	Kind     topology.Kind     `json:"kind"`
	Metadata topology.Metadata `json:"metadata"`
	Spec     struct {
		Description  string                 `json:"description"`
		Network      string                 `json:"network"`
		Networks     []string               `json:"networks"`
		StaticRoutes []topology.StaticRoute `json:"staticRoutes"`
		Address      string                 `json:"address"`
		// of external networks, gateways, floating IPs and services
		PhysicalNetwork string                 `json:"physicalNetwork"`
		VLAN            int                    `json:"vlan"`
		ExternalNetwork string                 `json:"externalNetwork"`
		Gateway         string                 `json:"gateway"`
		Endpoint        string                 `json:"endpoint"`
		Ports           []port                 `json:"ports"`
		Hosts           []topology.GatewayHost `json:"hosts"`
		BGP             *topology.BGP          `json:"bgp"`
		Subnets         []struct {
			CIDR     netip.Prefix `json:"cidr"`
			NextHops []netip.Addr `json:"nextHops"`
		} `json:"subnets"`
		// of service functions and chains
		Type      topology.FunctionType `json:"type"`
		Instances []topology.Instance   `json:"instances"`
		FailMode  topology.FailMode     `json:"failMode"`
		Router    string                `json:"router"`
		Functions []string              `json:"functions"`
		Protocol  string                `json:"protocol"`

		Sources      []topology.Side `json:"sources"`
		Destinations []topology.Side `json:"destinations"`
	} `json:"spec"`
	Status struct {
		topology.Status
		VNI          uint32            `json:"vni"`
		Subnets      []topology.Subnet `json:"subnets"`
		MTU          int               `json:"mtu"`
		ID           uint32            `json:"id"`
		Addresses    []netip.Addr      `json:"addresses"`
		MAC          topology.MAC      `json:"mac"`
		InterfaceID  string            `json:"interfaceID"`
		DatapathID   string            `json:"datapathID"`
		EncapIP      netip.Addr        `json:"encapIP"`
		Hostname     string            `json:"hostname"`
		DatapathType string            `json:"datapathType"`
		Version      string            `json:"version"`
		UnderlayMTU  int               `json:"underlayMTU"`

		Gateways      []topology.Attachment  `json:"gateways"` // of a router
		Lanes         []topology.GatewayLane `json:"lanes"`
		Address       netip.Addr             `json:"address"`       // of a floating IP
		InsideAddress netip.Addr             `json:"insideAddress"` // of a service
		Priority      int                    `json:"priority"`      // of a chain
	} `json:"status"`

	raw json.RawMessage
}

// port is one port of a floating IP or a service, or a range of a chain.
type port struct {
	topology.PortForward
	ports string
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *port) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &p.ports)
	}
	return json.Unmarshal(b, &p.PortForward)
}

// qualified is the object's name as commands take it: TENANT/NAME, or NAME for what
// belongs to no tenant.
func (o *object) qualified() string {
	if o.Metadata.Tenant == "" {
		return o.Metadata.Name
	}
	return o.Metadata.Tenant + "/" + o.Metadata.Name
}

func decodeObject(raw []byte) (*object, error) {
	o := &object{raw: raw}
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, fmt.Errorf("the server's answer is not an object of this version: %w", err)
	}
	return o, nil
}

func (a *app) fetch(ctx context.Context, c *client.Client, key topology.Key) (*object, error) {
	b, _, err := c.Do(ctx, client.Request{Method: http.MethodGet, Path: client.Path(key)})
	if err != nil {
		return nil, err
	}
	return decodeObject(b)
}

func (a *app) list(ctx context.Context, c *client.Client, key topology.Key, o client.ListOptions) ([]*object, error) {
	var objs []*object
	err := c.Pages(ctx, key, o, func(page []byte) error {
		var p struct{ Items []json.RawMessage }
		if err := json.Unmarshal(page, &p); err != nil {
			return fmt.Errorf("the server's answer is not a list: %w", err)
		}
		for _, raw := range p.Items {
			obj, err := decodeObject(raw)
			if err != nil {
				return err
			}
			objs = append(objs, obj)
		}
		return nil
	})
	return objs, err
}

// printable keeps what hosts say of themselves from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
