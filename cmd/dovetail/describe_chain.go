package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// printPath draws the way through a chain: what enters, each function with its instances,
// and where it ends.
func printPath(out io.Writer, o *object, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(at string, cells ...string) {
		for i := range cells {
			cells[i] = printable(cells[i])
		}
		fmt.Fprintf(w, "  %s\t%s\n", at, strings.Join(cells, "\t"))
	}
	fmt.Fprintln(w, "Path:")
	line("from", sideText(o.Spec.Sources, "every endpoint of router "+o.Spec.Router))
	if c := o.Status.Entered; c != nil {
		line("  |", fmt.Sprintf("packets entered: %s forward, %s backward", grouped(c.Forward.Packets), grouped(c.Backward.Packets)))
	}
	for i, hop := range o.Status.Hops {
		line(strconv.Itoa(i+1), hopText(o, hop))
		for _, in := range hop.Instances {
			line("  |", hopInstanceCells(in, now)...)
		}
		if text := failedText(hop); text != "" {
			line("  |", text)
		}
	}
	line("to", sideText(o.Spec.Destinations, "everything")+transportText(o))
	return w.Flush()
}

// sideText is what selects a side of a chain.
func sideText(sides []topology.Side, all string) string {
	if len(sides) == 0 {
		return all
	}
	var ways []string
	for _, s := range sides {
		switch {
		case s.Network != "":
			ways = append(ways, "network "+s.Network)
		case len(s.Labels) > 0:
			ways = append(ways, "endpoints with "+joined(sortedKeys(s.Labels), func(k string) string { return k + "=" + s.Labels[k] }))
		case s.External:
			ways = append(ways, "outside")
		default:
			ways = append(ways, s.CIDR.String())
		}
	}
	return strings.Join(ways, " or ")
}

// transportText is like ", tcp 80,443", or empty.
func transportText(o *object) string {
	if o.Spec.Protocol == "" {
		return ""
	}
	ports := joined(o.Spec.Ports, func(p port) string { return p.ports })
	return ", " + strings.TrimSpace(o.Spec.Protocol+" "+ports)
}

// hopText is like "fw: routed; reroute, then closed; tag 12".
func hopText(o *object, hop topology.HopStatus) string {
	parts := nonEmpty(string(hop.Type), hop.FailMode)
	if hop.Tagged {
		parts = append(parts, fmt.Sprintf("tag %d", hop.VLAN))
	}
	if len(hop.Instances) == 0 {
		parts = append(parts, "no instances")
	}
	return strings.TrimPrefix(hop.Function, o.Metadata.Tenant+"/") + ": " + strings.Join(parts, "; ")
}

func hopInstanceCells(in topology.HopInstance, now time.Time) []string {
	name, host, state := instanceLine(in.InstanceStatus, now)
	cells := []string{name, host, state}
	if c := in.Counters; c != nil {
		cells = append(cells, "forward "+grouped(c.Forward.Packets), "backward "+grouped(c.Backward.Packets))
	}
	if n := in.Connections; n != nil {
		cells = append(cells, "connections "+grouped(*n))
	}
	return append(cells, nonEmpty(in.Reason)...)
}

// instanceLine is how an instance is, without the reason; "-" as its host means none.
func instanceLine(in topology.InstanceStatus, now time.Time) (name, host, state string) {
	name, host, state = instanceText(topology.Instance{In: in.In, Out: in.Out}), in.Host, "healthy"
	if host == "" {
		host = "-"
	}
	if !in.Healthy {
		state = "not healthy"
	}
	if !in.Since.IsZero() {
		state += " for " + age(now.Sub(in.Since))
	}
	if in.Drain {
		state += ", takes no new connections"
	}
	return name, host, state
}

func failedText(hop topology.HopStatus) string {
	switch {
	case hop.Dropped != nil && *hop.Dropped > 0:
		return "packets dropped, since no instance could take them: " + grouped(*hop.Dropped)
	case hop.Skipped != nil && *hop.Skipped > 0:
		return "packets that skipped it, since no instance could take them: " + grouped(*hop.Skipped)
	}
	return ""
}

// healthText is how many of a chain's instances are healthy: "2/3".
func healthText(o *object) string {
	healthy, all := 0, 0
	for _, hop := range o.Status.Hops {
		all += len(hop.Instances)
		for _, in := range hop.Instances {
			if in.Healthy {
				healthy++
			}
		}
	}
	return fmt.Sprintf("%d/%d", healthy, all)
}

// grouped writes a number in groups of three digits.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
