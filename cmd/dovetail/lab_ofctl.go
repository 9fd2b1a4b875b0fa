package main

import (
	"slices"
	"strings"
)

// ofctlValues are the options of ovs-ofctl whose value is the next argument.
var ofctlValues = []string{"-O", "--protocols", "-F", "--flow-format", "-P", "--packet-in-format", "-t", "--timeout", "-p", "--private-key", "-c", "--certificate", "-C", "--ca-cert", "--read-only-color"}

// ofctlLocal are its commands that talk to no switch.
var ofctlLocal = []string{"help", "ofp-parse", "ofp-parse-pcap", "ofp-print", "parse-flow", "parse-flows", "parse-key-value", "parse-packet", "encode-hello", "list-commands"}

// withBridge adds br-int to the arguments of ovs-ofctl where no switch is named.
func withBridge(args, bridges []string) []string {
	command := -1
	for i := 0; i < len(args); i++ {
		if slices.Contains(ofctlValues, args[i]) {
			i++
		} else if !strings.HasPrefix(args[i], "-") {
			command = i
			break
		}
	}
	if command < 0 || slices.Contains(ofctlLocal, args[command]) {
		return args
	}
	for next := command + 1; next < len(args); next++ {
		if slices.Contains(ofctlValues, args[next]) {
			next++
			continue
		}
		if !strings.HasPrefix(args[next], "-") {
			if namesSwitch(args[next], bridges) {
				return args
			}
			break
		}
	}
	return slices.Insert(slices.Clone(args), command+1, "br-int")
}

// namesSwitch says whether an argument is a switch, and not a flow or a file of flows.
func namesSwitch(arg string, bridges []string) bool {
	if slices.Contains(bridges, arg) {
		return true
	}
	method, _, found := strings.Cut(arg, ":")
	if found && slices.Contains([]string{"tcp", "ssl", "unix", "ptcp", "pssl", "punix"}, method) {
		return true
	}
	// A bridge that is not there; ovs-ofctl says so better than we do.
	return strings.HasPrefix(arg, "br") && !strings.ContainsAny(arg, "=,/.")
}
