package pipeline

import (
	"fmt"
	"io"
	"strings"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// Document writes the page about the pipeline: a picture, the registers, and
// each table with the flows that the example has in it.
func Document(w io.Writer, example []openflow.Flow) error {
	var b strings.Builder
	b.WriteString("# The pipeline\n\nGenerated from `pipeline/tables.go` by `make generate`; do not edit.\n\n")
	b.WriteString("Every flow's cookie says which object it came from (`dovetail whose COOKIE`). A packet starts in table 0.\n\n")
	documentPicture(&b)
	documentRegisters(&b)
	for _, t := range Tables() {
		documentTable(&b, t, example)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func documentPicture(b *strings.Builder) {
	b.WriteString("```mermaid\nflowchart TD\n")
	for _, t := range Tables() {
		fmt.Fprintf(b, "    t%d[\"%d %s\"]\n", t.Number, t.Number, t.Name)
	}
	for _, t := range Tables() {
		for _, n := range t.Next {
			if n == TableNeighbour {
				fmt.Fprintf(b, "    t%d -. asks .-> t%d\n", t.Number, n)
			} else if n != t.Number {
				fmt.Fprintf(b, "    t%d --> t%d\n", t.Number, n)
			}
		}
	}
	b.WriteString("```\n\n")
}

func documentRegisters(b *strings.Builder) {
	b.WriteString("## Registers\n\n| register | is |\n|---|---|\n")
	rows := []struct {
		field openflow.Field
		is    string
	}{
		{RegNetwork, fmt.Sprintf("the VNI of the network that the packet is in; outside, the number of the external network (from %d on)", externalBit)},
		{RegRouter, "the id of the router that the packet passes"},
		{RegFlags, fmt.Sprintf("flags: bit %d the neighbour was found, bit %d it is a router, bit %d the address is shared, bit %d the packet is too large, "+
			"bit %d it asks for an address of ours, bit %d it leaves from where a lane is, bit %d another host of the gateway asks, bit %d it may only be an answer",
			FlagFound, FlagRouter, FlagShared, FlagLarge, FlagAnswer, FlagAnnounce, FlagAsked, FlagAnswers)},
		{RegICMP, "MTU, type and code of an ICMP error; in flood-remote the page of hosts, in flood-page that of ports"},
		{RegNextHop6, "the IPv6 address that the neighbour table is asked for (registers 4 to 7)"},
		{RegSource6, "the router's IPv6 address towards the sender (registers 8 to 11; for a moment, a MAC)"},
		{RegNextHop4, "the IPv4 address that the neighbour table is asked for"},
		{RegSource4, "the router's IPv4 address towards the sender"},
		{RegExternal, "the external network that the packet came in from; 0 for one from inside"},
		{RegReason, "why the packet is sent to the controller"},
	}
	for _, r := range rows {
		fmt.Fprintf(b, "| `%s` | %s |\n", r.field, r.is)
	}
	b.WriteString("\n")
}

func documentTable(b *strings.Builder, t Table, example []openflow.Flow) {
	fmt.Fprintf(b, "## Table %d: %s\n\n%s\n\n", t.Number, t.Name, t.Purpose)
	fields := make([]string, len(t.Matches))
	for i, f := range t.Matches {
		fields[i] = "`" + f.String() + "`"
	}
	fmt.Fprintf(b, "Matches: %s. Miss: %s.\n\n```\n", strings.Join(fields, ", "), t.Miss)
	for _, f := range example {
		if f.Table == t.Number {
			fmt.Fprintln(b, f)
		}
	}
	b.WriteString("```\n\n")
}
