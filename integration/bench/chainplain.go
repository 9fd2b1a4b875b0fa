package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// A function's interfaces on the plain bridge, and the bridge between them.
const plainIn, plainOut, plainJoint = "xin", "xout", "br1"

// Tunnels of the plain bridges for each direction, since a packet that comes back from a
// function says nothing of where it goes.
const plainTunnelBack, plainVNIBack = "vx-back", "7777778"

// joint gives a function a second pair of ports, on the plain bridge, and bridges
// them as the first ones are.
func (p *plain) joint(f *lab.Function) error {
	if err := errors.Join(p.port(f.In, plainIn), p.port(f.Out, plainOut)); err != nil {
		return err
	}
	for _, c := range []*exec.Cmd{
		f.Command("ip", "link", "add", plainJoint, "type", "bridge", "stp_state", "0", "mcast_snooping", "0"),
		f.Command("ip", "link", "set", plainIn, "master", plainJoint),
		f.Command("ip", "link", "set", plainOut, "master", plainJoint),
		f.Command("ip", "link", "set", plainJoint, "up"),
	} {
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, out)
		}
	}
	return nil
}

// lead gives the plain bridges the flows that lead from a client through functions, in
// order, to a server, and back, and no others.
func (p *plain) lead(from, to *lab.Workload, functions []*lab.Function) error {
	flows := map[string][]string{} // by host
	at := from
	for _, f := range functions {
		if err := p.step(flows, at, f.In); err != nil {
			return err
		}
		at = f.Out
	}
	if err := p.step(flows, at, to); err != nil {
		return err
	}
	for h, list := range flows {
		if err := replaceFlows(p.w.lab.Host(h), list...); err != nil {
			return err
		}
	}
	return nil
}

// step adds the flows from one port to the next, and back.
func (p *plain) step(flows map[string][]string, a, b *lab.Workload) error {
	h, g := a.Host(), b.Host()
	from, err1 := p.number(a)
	to, err2 := p.number(b)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	add := func(h *lab.Host, in, out string) {
		flows[h.Name] = append(flows[h.Name], "in_port="+in+",actions="+out)
	}
	if h.Name == g.Name {
		add(h, from, to)
		add(h, to, from)
		return nil
	}
	there, err1 := p.tunnel(h, g, plainTunnel, plainVNI)
	arrives, err2 := p.tunnel(g, h, plainTunnel, plainVNI)
	back, err3 := p.tunnel(g, h, plainTunnelBack, plainVNIBack)
	returns, err4 := p.tunnel(h, g, plainTunnelBack, plainVNIBack)
	add(h, from, there)
	add(g, arrives, to)
	add(g, to, back)
	add(h, returns, from)
	return errors.Join(err1, err2, err3, err4)
}
