package lab

import (
	"errors"
	"fmt"
	"strings"
)

// Forward says whether the function does its work, while its links stay up and it
// answers for its own addresses: as an appliance whose configuration is wrong.
func (f *Function) Forward(on bool) error {
	ns := f.Namespace()
	if !f.bridged {
		value := "0"
		if on {
			value = "1"
		}
		return run("sh", "-e", "-c", sysctls(ns, "net.ipv4.ip_forward="+value, "net.ipv6.conf.all.forwarding="+value))
	}
	to := "nomaster"
	if on {
		to = "master " + functionBridge
	}
	var lines []string
	for _, p := range f.ports() {
		lines = append(lines, fmt.Sprintf("ip -n %s link set %s %s", ns, p.Interface(), to))
	}
	return script(lines...)
}

// Freeze has the function take no frame at all any more, or take them again, while its
// links stay up: as an appliance that hangs.
func (f *Function) Freeze(frozen bool) error {
	const table = "netdev frozen"
	text := "table " + table + "\ndelete table " + table + "\n"
	if frozen {
		var names []string
		for _, p := range f.ports() {
			names = append(names, `"`+p.Interface()+`"`)
		}
		for _, v := range f.vlans {
			names = append(names, `"`+v.Name+`"`)
		}
		text += fmt.Sprintf("table %s {\n chain everything {\n  type filter hook ingress devices = { %s } priority 0; policy drop;\n }\n}\n",
			table, strings.Join(names, ", "))
	}
	return f.nft(text)
}

// SetLink takes the function's ports down at its own side, or only those that are
// given, so that the switch sees the links go; or it brings them up again.
func (f *Function) SetLink(up bool, ports ...*Workload) error {
	if len(ports) == 0 {
		ports = f.ports()
	}
	for _, p := range ports {
		if err := setLink(f.Namespace(), p.Interface(), !up); err != nil {
			return err
		}
	}
	if !up {
		return nil
	}
	// The kernel forgets the routes of a link that goes down. One by a port that is still
	// down cannot be had yet.
	var errs []error
	for _, r := range f.routes {
		errs = append(errs, f.route(r))
	}
	if len(ports) < len(f.ports()) {
		return nil
	}
	return errors.Join(errs...)
}
