package main

import (
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// column is one column of a table; wide ones are shown with -o wide only.
type column struct {
	title string
	wide  bool
	cell  func(*object) string
}

var (
	colName   = column{title: "NAME", cell: func(o *object) string { return o.Metadata.Name }}
	colTenant = column{title: "TENANT", cell: func(o *object) string { return o.Metadata.Tenant }}
	colPhase  = column{title: "PHASE", cell: func(o *object) string { return string(o.Status.Phase) }}
	colReason = column{title: "REASON", wide: true, cell: func(o *object) string {
		return strings.Join(append(nonEmpty(o.Status.Reason), o.Status.Warnings...), "; ")
	}}
)

func colAge(now time.Time) column {
	return column{title: "AGE", cell: func(o *object) string { return age(now.Sub(o.Metadata.Created)) }}
}

// columns are what people look for in each kind.
func columns(kind topology.Kind, now time.Time) []column {
	switch kind {
	case topology.KindNetwork:
		return []column{colTenant, colName,
			{title: "VNI", cell: func(o *object) string { return number(int(o.Status.VNI)) }},
			{title: "SUBNETS", cell: func(o *object) string {
				return joined(o.Status.Subnets, func(s topology.Subnet) string { return s.CIDR.String() })
			}},
			{title: "GATEWAYS", wide: true, cell: func(o *object) string {
				return joined(o.Status.Subnets, func(s topology.Subnet) string { return s.Gateway.String() })
			}},
			{title: "MTU", wide: true, cell: func(o *object) string { return number(o.Status.MTU) }},
			colPhase, colAge(now), colReason}
	case topology.KindRouter:
		return []column{colTenant, colName,
			{title: "NETWORKS", cell: func(o *object) string { return strings.Join(o.Spec.Networks, ",") }},
			{title: "GATEWAYS", cell: func(o *object) string {
				return joined(o.Status.Gateways, func(a topology.Attachment) string { return a.Gateway })
			}},
			{title: "OUTSIDE", wide: true, cell: func(o *object) string {
				return joined(o.Status.Gateways, func(a topology.Attachment) string { return joined(a.Addresses, netip.Addr.String) })
			}},
			{title: "ID", wide: true, cell: func(o *object) string { return number(int(o.Status.ID)) }},
			{title: "ROUTES", wide: true, cell: func(o *object) string {
				return joined(o.Spec.StaticRoutes, func(r topology.StaticRoute) string { return r.Destination.String() + " via " + r.NextHop.String() })
			}},
			colPhase, colAge(now), colReason}
	case topology.KindEndpoint:
		return []column{colTenant, colName,
			{title: "NETWORK", cell: func(o *object) string { return o.Spec.Network }},
			{title: "ADDRESSES", cell: func(o *object) string { return joined(o.Status.Addresses, netip.Addr.String) }},
			{title: "MAC", wide: true, cell: func(o *object) string { return o.Status.MAC.String() }},
			{title: "INTERFACE-ID", wide: true, cell: func(o *object) string { return o.Status.InterfaceID }},
			{title: "HOST", cell: func(o *object) string {
				if b := o.Status.Binding; b != nil {
					return b.Host
				}
				return ""
			}},
			{title: "PORT", wide: true, cell: func(o *object) string {
				if b := o.Status.Binding; b != nil {
					return fmt.Sprintf("%s(%d)", b.Port, b.OFPort)
				}
				return ""
			}},
			colPhase, colAge(now), colReason}
	case topology.KindExternalNetwork:
		return []column{colName,
			{title: "PHYSICAL", cell: func(o *object) string { return o.Spec.PhysicalNetwork }},
			{title: "VLAN", cell: func(o *object) string { return number(o.Spec.VLAN) }},
			{title: "SUBNETS", cell: func(o *object) string {
				var cidrs []string
				for _, s := range o.Spec.Subnets {
					cidrs = append(cidrs, s.CIDR.String())
				}
				return strings.Join(cidrs, ",")
			}},
			{title: "NEXT-HOPS", wide: true, cell: func(o *object) string {
				var hops []netip.Addr
				for _, s := range o.Spec.Subnets {
					hops = append(hops, s.NextHops...)
				}
				return joined(hops, netip.Addr.String)
			}},
			{title: "BGP", wide: true, cell: bgpText},
			{title: "MTU", wide: true, cell: func(o *object) string { return number(o.Status.MTU) }},
			colPhase, colAge(now), colReason}
	case topology.KindGateway:
		return []column{colName,
			{title: "EXTERNAL-NETWORK", cell: func(o *object) string { return o.Spec.ExternalNetwork }},
			{title: "HOSTS", cell: func(o *object) string {
				return joined(o.Spec.Hosts, func(h topology.GatewayHost) string { return h.Name })
			}},
			{title: "ADDRESSES", cell: func(o *object) string {
				return joined(o.Status.Lanes, func(l topology.GatewayLane) string { return joined(l.Addresses, netip.Addr.String) })
			}},
			{title: "ACTIVE", cell: func(o *object) string { return joined(o.Status.Lanes, activeHost) }},
			{title: "MAC", wide: true, cell: func(o *object) string {
				return joined(o.Status.Lanes, func(l topology.GatewayLane) string { return l.MAC.String() })
			}},
			colPhase, colAge(now), colReason}
	case topology.KindFloatingIP:
		return []column{colTenant, colName,
			{title: "ADDRESS", cell: func(o *object) string { return o.Status.Address.String() }},
			{title: "FOR", cell: func(o *object) string {
				if o.Spec.Endpoint != "" {
					return o.Spec.Endpoint
				}
				return joined(o.Spec.Ports, func(p port) string {
					return fmt.Sprintf("%s/%d:%s", p.Protocol, p.Port, p.Endpoint)
				})
			}},
			{title: "GATEWAY", cell: func(o *object) string { return o.Spec.Gateway }},
			colPhase, colAge(now), colReason}
	case topology.KindService:
		return []column{colTenant, colName,
			{title: "ADDRESS", cell: func(o *object) string { return o.Spec.Address }},
			{title: "INSIDE", cell: func(o *object) string { return o.Status.InsideAddress.String() }},
			{title: "PORTS", cell: func(o *object) string {
				return joined(o.Spec.Ports, func(p port) string { return fmt.Sprintf("%s/%d", p.Protocol, p.Port) })
			}},
			{title: "GATEWAY", cell: func(o *object) string { return o.Spec.Gateway }},
			colPhase, colAge(now), colReason}
	case topology.KindServiceFunction:
		return []column{colTenant, colName,
			{title: "TYPE", cell: func(o *object) string { return string(o.Spec.Type) }},
			{title: "INSTANCES", cell: func(o *object) string { return strconv.Itoa(len(o.Spec.Instances)) }},
			{title: "FAIL-MODE", cell: failMode},
			{title: "ENDPOINTS", wide: true, cell: func(o *object) string { return joined(o.Spec.Instances, instanceText) }},
			{title: "ID", wide: true, cell: func(o *object) string { return number(int(o.Status.ID)) }},
			colPhase, colAge(now), colReason}
	case topology.KindChain:
		return []column{colTenant, colName,
			{title: "ROUTER", cell: func(o *object) string { return o.Spec.Router }},
			{title: "FUNCTIONS", cell: func(o *object) string { return strings.Join(o.Spec.Functions, ",") }},
			{title: "HEALTH", cell: healthText},
			{title: "PRIORITY", cell: func(o *object) string { return number(o.Status.Priority) }},
			{title: "PROTOCOL", wide: true, cell: func(o *object) string { return o.Spec.Protocol }},
			{title: "PORTS", wide: true, cell: func(o *object) string {
				return joined(o.Spec.Ports, func(p port) string { return p.ports })
			}},
			{title: "ID", wide: true, cell: func(o *object) string { return number(int(o.Status.ID)) }},
			colPhase, colAge(now), colReason}
	case topology.KindHost:
		return []column{colName,
			{title: "VTEP", cell: func(o *object) string {
				if !o.Status.EncapIP.IsValid() {
					return ""
				}
				return o.Status.EncapIP.String()
			}},
			{title: "CONNECTED", cell: func(o *object) string { return strings.Join(o.Status.Connected, ",") }},
			{title: "ID", wide: true, cell: func(o *object) string { return number(int(o.Status.ID)) }},
			{title: "DATAPATH-ID", wide: true, cell: func(o *object) string { return o.Status.DatapathID }},
			{title: "HOSTNAME", wide: true, cell: func(o *object) string { return o.Status.Hostname }},
			{title: "OVS", wide: true, cell: func(o *object) string { return o.Status.Version }},
			{title: "DATAPATH-TYPE", wide: true, cell: func(o *object) string { return o.Status.DatapathType }},
			colPhase, colAge(now), colReason}
	}
	return []column{colName,
		{title: "DESCRIPTION", wide: true, cell: func(o *object) string { return o.Spec.Description }},
		colPhase, colAge(now), colReason}
}

// failMode is what a service function's fail mode comes to; a tap has none.
func failMode(o *object) string {
	if o.Spec.FailMode == "" && o.Spec.Type != topology.FunctionTap {
		return string(topology.FailReroute)
	}
	return string(o.Spec.FailMode)
}

// instanceText is the endpoint of an instance, or both in the order in which packets from
// the sources of chains pass them.
func instanceText(in topology.Instance) string {
	if in.Out == "" {
		return in.In
	}
	return in.In + ">" + in.Out
}

// bgpText is the autonomous system, and those that routes are announced to.
func bgpText(o *object) string {
	b := o.Spec.BGP
	if b == nil {
		return ""
	}
	return fmt.Sprintf("AS %d to %s", b.ASN, joined(b.Peers, func(p topology.BGPPeer) string {
		return fmt.Sprintf("%s (AS %d)", p.Address, p.ASN)
	}))
}

// activeHost is where a lane is, as far as it is known.
func activeHost(l topology.GatewayLane) string {
	if l.Active == "" {
		return "none"
	}
	return l.Active
}

// table prints objects of one kind. Columns are aligned; nothing is "-".
type table struct {
	cols []column
	w    *tabwriter.Writer
}

func newTable(out io.Writer, kind topology.Kind, tenants, wide bool, now time.Time) *table {
	t := &table{w: tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)}
	for _, c := range columns(kind, now) {
		if (wide || !c.wide) && (tenants || c.title != "TENANT") {
			t.cols = append(t.cols, c)
		}
	}
	titles := make([]string, len(t.cols))
	for i, c := range t.cols {
		titles[i] = c.title
	}
	t.line(titles)
	return t
}

func (t *table) row(o *object) {
	cells := make([]string, len(t.cols))
	for i, c := range t.cols {
		if cells[i] = printable(c.cell(o)); cells[i] == "" {
			cells[i] = "-"
		}
	}
	t.line(cells)
}

func (t *table) line(cells []string) { fmt.Fprintln(t.w, strings.Join(cells, "\t")) }

func (t *table) flush() error { return t.w.Flush() }

// age is a duration in its two largest units at most.
func age(d time.Duration) string {
	switch s := int(d.Seconds()); {
	case s < 0:
		return "0s"
	case s < 120:
		return fmt.Sprintf("%ds", s)
	case s < 2*3600:
		return fmt.Sprintf("%dm", s/60)
	case s < 48*3600:
		return fmt.Sprintf("%dh%dm", s/3600, s%3600/60)
	default:
		return fmt.Sprintf("%dd", s/86400)
	}
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func joined[T any](list []T, text func(T) string) string {
	s := make([]string, len(list))
	for i, v := range list {
		s[i] = text(v)
	}
	return strings.Join(s, ",")
}

func nonEmpty(s ...string) []string {
	var list []string
	for _, v := range s {
		if v != "" {
			list = append(list, v)
		}
	}
	return list
}
