package rest

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"net/netip"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/dovetail-sdn/dovetail/topology"
)

// document begins the OpenAPI document. Its version is the API's, not the
// program's.
func document(reg huma.Registry) *huma.OpenAPI {
	reg.RegisterTypeAlias(reflect.TypeFor[netip.Prefix](), reflect.TypeFor[prefixText]())
	reg.RegisterTypeAlias(reflect.TypeFor[netip.Addr](), reflect.TypeFor[addrText]())
	reg.RegisterTypeAlias(reflect.TypeFor[topology.MAC](), reflect.TypeFor[macText]())
	reg.RegisterTypeAlias(reflect.TypeFor[topology.AddressRange](), reflect.TypeFor[rangeText]())
	reg.RegisterTypeAlias(reflect.TypeFor[topology.PortRange](), reflect.TypeFor[portsText]())
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Dovetail", Version: "v1",
			Description: "Virtual networks on Open vSwitch. Every object is {kind, metadata, spec, status}: spec is what you say, status is what the controller found.",
		},
		Components: &huma.Components{Schemas: reg},
	}
}

// schemaName is huma's way to name schemas, but for resources and lists of them,
// which have the name of their kind.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case strings.HasPrefix(t.Name(), "Resource["):
		spec, _ := t.FieldByName("Spec")
		return strings.TrimSuffix(spec.Type.Name(), "Spec")
	case strings.HasPrefix(t.Name(), "List["):
		items, _ := t.FieldByName("Items")
		return "List" + schemaName(items.Type.Elem(), hint)
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// These stand in the document for types that are written as text.
type (
	prefixText struct{}
	addrText   struct{}
	macText    struct{}
	rangeText  struct{}
	portsText  struct{}
)

func (prefixText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "An IP prefix", Examples: []any{"10.0.0.0/24"}}
}

func (addrText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "An IPv4 or IPv6 address", Examples: []any{"10.0.0.5"}}
}

func (macText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "A MAC address", Examples: []any{"02:00:0a:01:00:05"}}
}

func (rangeText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "A range of IP addresses, a prefix, or one address", Examples: []any{"192.0.2.10-192.0.2.50", "192.0.2.64/26"}}
}

func (portsText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "A port, or a range of ports", Examples: []any{"80", "8000-8100"}}
}

func (s *server) problemSchema() *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
}

// describe gives the fields of topology's types, which know nothing of HTTP, their
// descriptions.
func describe(schemas map[string]*huma.Schema) {
	for at, text := range map[string]string{
		"Metadata.name":                       "Chosen by the client",
		"Metadata.revision":                   "Changes with each write; the first part of the ETag",
		"NetworkSpec.vni":                     "VXLAN network identifier, 1 to 12582911; left out: one is allocated. It cannot change later",
		"NetworkSpec.mtu":                     "The largest IP packet in bytes; left out: 1450",
		"NetworkSpec.subnets":                 "They hold the addresses of the network's endpoints, IPv4 and IPv6",
		"Subnet.gateway":                      "Where routers of the network answer; left out: the first host address of the prefix",
		"RouterSpec.networks":                 "Names of the networks joined; each network is joined to at most one router",
		"StaticRoute.nextHop":                 "An address in a joined network",
		"EndpointSpec.network":                "Name of a network of the same tenant",
		"EndpointSpec.addresses":              "Addresses in the network's subnets; left out: one of each family is allocated",
		"EndpointSpec.mac":                    "A unicast address; left out: one is derived",
		"EndpointSpec.interfaceID":            "external_ids:iface-id of the OVS Interface that binds the endpoint; left out: TENANT/NAME",
		"EndpointSpec.allowedAddresses":       "What the endpoint may use as source besides its own addresses",
		"RouterSpec.gateways":                 "What connects the router to external networks",
		"RouterGateway.name":                  "Name of a gateway",
		"RouterGateway.destinations":          "What is reached by this gateway; left out: everything for which there is no better route",
		"RouterGateway.addresses":             "External IPv4 addresses that take the place of inside ones; left out: one is allocated. IPv6 is never translated",
		"RouterGateway.routedNetworks":        "Networks of the router whose own IPv4 addresses go out untranslated",
		"RouterGateway.servicesOnly":          "The router is connected for the tenant's services at the gateway, and nothing else leaves or enters by it",
		"ExternalNetworkSpec.bgp":             "Makes the controller announce there which routed networks are reached by which gateway address",
		"BGP.asn":                             "The controller's autonomous system number, 1 to 4294967294, and neither 23456 nor 65535",
		"BGP.peers":                           "1 to 16 routers that routes are announced to; each is a peer of one external network only",
		"ExternalNetworkSpec.physicalNetwork": "Its name in external_ids:dovetail-bridge-mappings of the hosts that are connected to it",
		"ExternalNetworkSpec.vlan":            "IEEE 802.1Q tag, 1 to 4094; left out: untagged",
		"ExternalNetworkSpec.mtu":             "The largest IP packet in bytes; left out: 1500",
		"ExternalSubnet.nextHops":             "Routers to the rest of the world, the preferred one first",
		"ExternalSubnet.pools":                "Addresses that the controller may give out; others can still be chosen",
		"GatewaySpec.externalNetwork":         "Name of an external network. It cannot change later",
		"GatewaySpec.hosts":                   "Hosts that carry the gateway, in the order of preference",
		"GatewaySpec.addresses":               "The gateway's own addresses; left out: allocated from the pools, one of each IP version for each host with a weight",
		"GatewayHost.weight":                  "The host's share of the routers, 0 to 100; if all are 0, the first living host carries everything",
		"FloatingIPSpec.gateway":              "Name of the gateway in whose external network the address is. It cannot change later",
		"FloatingIPSpec.address":              "An address of the external network; left out: one is allocated from its pools",
		"FloatingIPSpec.endpoint":             "Name of the endpoint, of the same tenant, that the whole address stands for",
		"FloatingIPSpec.endpointAddress":      "Which of the endpoint's addresses is meant; left out: the first of the same IP version",
		"FloatingIPSpec.ports":                "Single ports that stand for ports of endpoints, instead of the whole address",
		"FloatingIPSpec.sources":              "Prefixes outside that may begin connections; left out: everybody",
		"PortForward.protocol":                "tcp or udp",
		"PortForward.endpointPort":            "Left out: the same port",
		"PortForward.endpoint":                "Name of an endpoint of the same tenant. One port of it is reached by one port of one floating IP at a gateway",
		"ServiceSpec.gateway":                 "Name of the gateway by which the service is reached, from all networks of the tenant whose router is connected to it",
		"ServiceSpec.address":                 "The service's address outside",
		"ServiceSpec.insideAddress":           "By which endpoints reach the service; left out: its own. IPv6 is never translated",
		"ServiceSpec.ports":                   "What is reached, 1 to 64 ports",
		"ServicePort.protocol":                "tcp or udp",
		"ServiceFunctionSpec.type":            "transparent: gets frames as they were sent, and gives them back; routed: gets packets at its own MAC, and routes them on; rewriting: gets packets at its own MAC and sends others; tap: gets copies",
		"ServiceFunctionSpec.instances":       "Up to 31 that share the load; without any, packets fare as failMode says",
		"ServiceFunctionSpec.failMode":        "What happens to packets that the instance of their connection cannot take: reroute (left out: this one) moves the connection to another instance, closed drops them, open has them skip the function. Not for a tap",
		"ServiceFunctionSpec.lastResort":      "With failMode reroute, what happens if no instance is left: closed (left out: this one) or open",
		"ServiceFunctionSpec.preferLocal":     "A host sends new connections to its own instances while they live",
		"ServiceFunctionSpec.tagged":          "Packets carry an IEEE 802.1Q tag that says which chain they are in, to an instance and back. Needed if chains of several routers use the function, or several chains one that rewrites",
		"ServiceFunctionSpec.probe":           "Asks instances whether they work; left out: their links and hosts alone count. Not for a tap",
		"ServiceFunctionSpec.sharedWith":      "Names of other tenants whose chains may use the function",
		"Instance.in":                         "Name of an endpoint of the same tenant, to which packets go that are on their way from a chain's sources. An endpoint is in one instance of one function",
		"Instance.out":                        "Name of the endpoint where they come back, and to which answers go; left out: the same endpoint",
		"Instance.weight":                     "Its share of new connections, 1 to 100; left out: 1",
		"Instance.drain":                      "It takes no new connections",
		"Probe.protocol":                      "arp or icmp: an address of the instance is asked, or of a transparent one, what is sent through it has to come out; tcp: a port of the instance accepts a connection, not for transparent ones",
		"Probe.port":                          "Of tcp only",
		"Probe.intervalMillis":                "Time between two questions, 100 to 60000; left out: 1000",
		"Probe.failures":                      "So many questions in a row without an answer mean that the instance is dead, 1 to 10; left out: 3",
		"ServiceFunctionStatus.id":            "Unique among service functions, 1 to 65535; stable",
		"ServiceFunctionStatus.instances":     "What is allocated for the instances, where they are, and whether they work; in the order of the spec",
		"InstanceStatus.in":                   "Names the instance",
		"InstanceStatus.out":                  "Left out: the same endpoint",
		"InstanceStatus.number":               "Unique in the function, 1 to 31; stable",
		"InstanceStatus.host":                 "Where it is; absent while it is nowhere",
		"InstanceStatus.healthy":              "It is on a host that lives, and its ports are up",
		"InstanceStatus.since":                "When it became healthy, or no longer was, as far as the controller has seen it",
		"InstanceStatus.reason":               "Why it is not healthy",
		"InstanceStatus.drain":                "It takes no new connections",
		"ChainSpec.router":                    "Name of a router of the same tenant. It cannot change later",
		"ChainSpec.functions":                 "1 to 7 service functions, in the order in which packets from the sources pass them: NAME, or TENANT/NAME for one of another tenant that shares it",
		"ChainSpec.sources":                   "One side: what fits any of the selectors; left out: every endpoint of the router's networks",
		"ChainSpec.destinations":              "The other side: what fits any of the selectors; left out: everything",
		"ChainSpec.protocol":                  "tcp, udp or icmp, of either IP version; left out: any",
		"ChainSpec.ports":                     "Ports of the destinations, with tcp and udp only; left out: all",
		"ChainSpec.priority":                  "Where several chains of a router fit, the highest wins; 1 to 10000, each once at a router; left out: one is allocated, below those that are there",
		"Side.network":                        "Name of a network of the router",
		"Side.labels":                         "The endpoints of the router's networks that have all of these labels",
		"Side.cidr":                           "Addresses, wherever they are",
		"Side.external":                       "Everything that the router reaches by gateways",
		"ChainStatus.id":                      "Unique among chains, 1 to 4094; stable",
		"ChainStatus.zone":                    "The connection tracking zone that remembers its connections; unique",
		"ChainStatus.generation":              "Rises with each change of the functions or their order",
		"ChainStatus.priority":                "The spec's, or the one that is allocated",
		"ChainStatus.hops":                    "How the chain's functions fare, in their order. What switches have counted is there where one chain is read, not in lists",
		"ChainStatus.entered":                 "What has begun its way through the chain; absent in lists, and if no switch has answered",
		"HopStatus.function":                  "TENANT/NAME",
		"HopStatus.slot":                      "Where hosts remember which instance of the function a connection uses; stable",
		"HopStatus.vlan":                      "The tag of the chain's packets at the function, if that is tagged; 1 to 4094, unique there",
		"HopStatus.tagged":                    "Packets have the tag at the function",
		"HopStatus.failMode":                  "What happens to packets that no instance can take, as it works out: closed, open, \"reroute, then closed\" or \"reroute, then open\". A tap has none",
		"HopStatus.dropped":                   "Packets that no instance could take, and that were dropped",
		"HopStatus.skipped":                   "Packets that no instance could take, and that went on without the function",
		"HopInstance.in":                      "Names the instance",
		"HopInstance.out":                     "Left out: the same endpoint",
		"HopInstance.number":                  "Unique in the function, 1 to 31; stable",
		"HopInstance.host":                    "Where it is; absent while it is nowhere",
		"HopInstance.healthy":                 "It is on a host that lives, and its ports are up",
		"HopInstance.since":                   "When it became healthy, or no longer was, as far as the controller has seen it",
		"HopInstance.reason":                  "Why it is not healthy",
		"HopInstance.drain":                   "It takes no new connections",
		"HopInstance.counters":                "What the chain has given to the instance",
		"HopInstance.connections":             "How many times the instance was chosen for a connection; absent where that is not counted: where there is one instance only, of taps, and where local instances are preferred",
		"Counters.forward":                    "From the chain's sources, since its flows are there",
		"Counters.backward":                   "To the chain's sources, since its flows are there",
		"LaneStatus.active":                   "The host that carries the lane; absent if none does",
		"GatewayLane.active":                  "The host that carries the lane; absent if none does",
		"GatewayLane.host":                    "Where the lane is while that host lives",
		"PeerStatus.announced":                "How many prefixes are announced to the peer",
		"HostSpec.address":                    "tcp:ADDRESS:PORT or ssl:ADDRESS:PORT of a host that listens for OVSDB; left out: the host dials the controller",
	} {
		schema, field, _ := strings.Cut(at, ".")
		if sch := schemas[schema]; sch != nil && sch.Properties[field] != nil {
			described := *sch.Properties[field]
			described.Description = text
			sch.Properties[field] = &described
		}
	}
	for _, name := range []string{"BGP", "BGPPeer"} { // 32 bits without a sign, which int32 is not
		asn := *schemas[name].Properties["asn"]
		asn.Format, asn.Minimum, asn.Maximum = "int64", new(1.0), new(4294967294.0)
		schemas[name].Properties["asn"] = &asn
	}
	for _, k := range topology.Kinds() {
		kind := *schemas[string(k)].Properties["kind"]
		kind.Enum = []any{string(k)}
		schemas[string(k)].Properties["kind"] = &kind
	}
	for _, s := range schemas {
		if p := s.Properties["phase"]; p != nil {
			p.Enum = []any{string(topology.PhasePending), string(topology.PhaseRealized), string(topology.PhaseFailed)}
		}
	}
}

// serveDocument serves the OpenAPI document and a page made of it.
func (s *server) serveDocument() error {
	doc := s.api.OpenAPI()
	schemas := doc.Components.Schemas.Map()
	delete(schemas, "ErrorModel") // huma's own; Problem replaces it
	delete(schemas, "ErrorDetail")
	describe(schemas)
	asJSON, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	asYAML, err := doc.YAML()
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := docsPage.Execute(&page, doc); err != nil {
		return err
	}
	s.static("/openapi.json", "application/openapi+json", append(asJSON, '\n'))
	s.static("/openapi.yaml", "application/openapi+yaml", asYAML)
	s.static("/docs", "text/html; charset=utf-8", page.Bytes())
	s.router.Handle("/", http.RedirectHandler("/docs", http.StatusFound)).Methods(http.MethodGet)
	return nil
}

func (s *server) static(path, contentType string, content []byte) {
	s.router.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write(content) // the client is gone
	}).Methods(http.MethodGet)
}

var docsPage = template.Must(template.New("docs").Funcs(template.FuncMap{
	"operations": func(p *huma.PathItem) map[string]*huma.Operation {
		m := map[string]*huma.Operation{}
		for method, op := range map[string]*huma.Operation{"1 GET": p.Get, "2 PUT": p.Put, "3 PATCH": p.Patch, "4 POST": p.Post, "5 DELETE": p.Delete} {
			if op != nil {
				m[method] = op
			}
		}
		return m
	},
	"method": func(s string) string { return s[2:] },
}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Info.Title}} API {{.Info.Version}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}code{background:#eee;padding:.1em .3em}td,th{text-align:left;vertical-align:top;padding:.2em 1em .2em 0}</style>
</head><body><h1>{{.Info.Title}} API {{.Info.Version}}</h1><p>{{.Info.Description}}</p>
<p>The whole description: <a href="/openapi.json">/openapi.json</a>, <a href="/openapi.yaml">/openapi.yaml</a></p>
{{range $path, $item := .Paths}}<h2><code>{{$path}}</code></h2>
{{range $method, $op := operations $item}}<h3>{{method $method}}</h3><p>{{$op.Description}}</p>
<table>{{range $op.Parameters}}<tr><td><code>{{.Name}}</code></td><td>{{.In}}</td><td>{{.Description}}</td></tr>
{{end}}</table>{{end}}{{end}}</body></html>
`))
