package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sdn/dovetail/topology"
)

func newDescribeCmd(a *app) *cobra.Command {
	var tenant *string
	c := &cobra.Command{
		Use:   "describe KIND NAME",
		Short: "Show one object in detail: what was asked for, how far it has come, on which hosts, and why not",
		Example: "  dovetail describe endpoint acme/web1\n" +
			"  dovetail describe network blue -t acme\n" +
			"  dovetail describe chain web-to-db -t acme\n" +
			"  dovetail describe host h1",
		Args: arguments(2, "KIND", "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.describe(cmd.Context(), args, *tenant) },
	}
	tenant = tenantFlag(c)
	c.ValidArgsFunction = a.completeTarget(tenant)
	_ = c.RegisterFlagCompletionFunc("tenant", a.completeTenant)
	return c
}

func (a *app) describe(ctx context.Context, args []string, tenant string) error {
	key, err := parseTarget(args[0], args[1], tenant)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	o, err := a.fetch(ctx, c, key)
	if err != nil {
		return err
	}
	now := time.Now()
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s:\t%s\n", name, printable(value))
		}
	}
	line(string(o.Kind), o.qualified())
	line("Labels", joined(sortedKeys(o.Metadata.Labels), func(k string) string { return k + "=" + o.Metadata.Labels[k] }))
	line("Created", fmt.Sprintf("%s (%s ago), revision %d", o.Metadata.Created.Format(time.RFC3339), age(now.Sub(o.Metadata.Created)), o.Metadata.Revision))
	phase := string(o.Status.Phase)
	if !o.Status.Since.IsZero() {
		phase += " for " + age(now.Sub(o.Status.Since))
	}
	line("Phase", phase)
	line("Reason", o.Status.Reason)
	for _, warning := range o.Status.Warnings {
		line("Warning", warning)
	}
	if b := o.Status.Binding; b != nil {
		line("Bound to", fmt.Sprintf("host %s, port %s (%d), for %s", b.Host, b.Port, b.OFPort, age(now.Sub(b.Since))))
	}
	seen := map[string]bool{"TENANT": true, "NAME": true, "PHASE": true, "REASON": true, "AGE": true, "HOST": true, "PORT": true}
	if o.Kind == topology.KindGateway { // they are told lane by lane
		seen["ADDRESSES"], seen["ACTIVE"], seen["MAC"] = true, true, true
	}
	if o.Kind == topology.KindServiceFunction && len(o.Status.Instances) > 0 { // one by one
		seen["INSTANCES"], seen["ENDPOINTS"] = true, true
	}
	for _, col := range columns(o.Kind, now) {
		if !seen[col.title] {
			line(caption(col.title), col.cell(o))
		}
	}
	group(w, "Lanes", o.Status.Lanes, laneLine)
	group(w, "BGP peers", o.Status.Peers, func(p topology.PeerStatus) (string, string) { return peerLine(p, now) })
	group(w, "Instances", o.Status.Instances, func(in topology.InstanceStatus) (string, string) {
		name, host, state := instanceLine(in, now)
		if in.Host != "" {
			state = "on " + host + ", " + state
		}
		return name, strings.Join(append([]string{state}, nonEmpty(in.Reason)...), ": ")
	})
	group(w, "On hosts", o.Status.Hosts, partLine)
	line("Hint", hint(o))
	if err := w.Flush(); err != nil {
		return err
	}
	if o.Kind == topology.KindChain {
		if err := printPath(a.out, o, now); err != nil {
			return err
		}
	}
	return a.printSpec(o)
}

// group prints a list, with its title before the first line.
func group[T any](w io.Writer, title string, list []T, line func(T) (name, state string)) {
	title += ":"
	for _, v := range list {
		name, state := line(v)
		fmt.Fprintf(w, "%s\t%s\t%s\n", title, printable(name), printable(state))
		title = ""
	}
}

func partLine(h topology.HostPart) (name, state string) {
	switch {
	case h.Error != "":
		return h.Name, h.Error
	case !h.Acknowledged:
		return h.Name, "not yet"
	}
	return h.Name, "acknowledged"
}

func laneLine(l topology.GatewayLane) (name, state string) {
	where := "no host carries it"
	if l.Active != "" {
		where = "on " + l.Active
	}
	return l.Host, fmt.Sprintf("%s; %s, MAC %s", where, joined(l.Addresses, netip.Addr.String), l.MAC)
}

func peerLine(p topology.PeerStatus, now time.Time) (name, state string) {
	state = "not established"
	if p.Established {
		state = "established"
	}
	if !p.Since.IsZero() {
		state += " for " + age(now.Sub(p.Since))
	}
	if p.Established {
		state += fmt.Sprintf(", %d announced", p.Announced)
	}
	if p.Error != "" {
		state += ": " + p.Error
	}
	return p.Address.String(), state
}

// hint says how to go on when a host that may be gone for good is waited for. Hosts
// that endpoints are bound to cannot be deleted.
func hint(o *object) string {
	if o.Status.Phase != topology.PhasePending {
		return ""
	}
	for _, h := range o.Status.Hosts {
		if h.Acknowledged || !strings.HasPrefix(h.Error, "not connected") {
			continue
		}
		gone, remove := "if "+h.Name+" does not come back: ", "dovetail delete host "+h.Name
		switch b := o.Status.Binding; {
		case b != nil && b.Host == h.Name:
			return gone + "attach the endpoint to another host, or delete it, and then: " + remove
		case o.Kind == topology.KindHost:
			return gone + remove + " (once no endpoint is bound there)"
		}
		return gone + remove
	}
	return ""
}

// caption writes a column's title as one writes in a text.
func caption(title string) string {
	switch title {
	case "VNI", "MTU", "MAC", "ID", "VTEP", "BGP":
		return title
	case "OVS":
		return "Open vSwitch"
	}
	return title[:1] + strings.ToLower(strings.ReplaceAll(title[1:], "-", " "))
}

func (a *app) printSpec(o *object) error {
	var doc struct {
		Spec map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal(o.raw, &doc); err != nil {
		return fmt.Errorf("reading the spec: %w", err)
	}
	if len(doc.Spec) == 0 {
		return nil
	}
	y, err := yaml.Marshal(doc.Spec)
	if err != nil {
		return fmt.Errorf("writing the spec: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "Asked for:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(string(y)), "\n", "\n  "))
	return err
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
