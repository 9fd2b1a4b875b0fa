package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Guard is the firewall of a service function: nftables' rules for what it forwards. A
// transparent function lets ARP and neighbor discovery pass in any case.
type Guard struct {
	// Drop has what no rule accepts dropped, and counted as "dropped"; otherwise it passes.
	Drop bool
	// Stateful has the answers to accepted connections pass before any rule. A
	// connection whose beginning the function has not seen is dropped.
	Stateful bool
	// Counters are the names of more counters that rules count with.
	Counters []string
	// Rules are lines of nft(8), as `tcp dport 22 drop` or `iifname "in" tcp dport 80
	// counter name web accept`. A transparent function has those of the family bridge, a
	// routed one those of the family inet.
	Rules []string
}

// Counter is what one of nftables' counters says.
type Counter struct{ Packets, Bytes int64 }

// answered marks packets that connection tracking knows, for the family bridge, which
// cannot ask for them itself with every kernel.
const answered = "0xd0"

// Guard puts a firewall into the function, in place of the one that is there, at once.
// Counters "in" and "out" count what comes in there to be forwarded, in any VLAN, before
// any rule; counters go on from one firewall to the next. It needs Debian's package nftables.
func (f *Function) Guard(g Guard) error {
	if f.bridged {
		if err := f.track(g.Stateful); err != nil {
			return err
		}
	}
	if err := f.nft(g.text(f.family(), f.ports())); err != nil || !g.Stateful {
		return err
	}
	// The kernel would take a connection in with any packet of it. The rules come first:
	// they load connection tracking.
	return run("ip", "netns", "exec", f.Namespace(), "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=0")
}

func (f *Function) family() string {
	if f.bridged {
		return "bridge"
	}
	return "inet"
}

// text is the firewall as nft -f reads it: all of it or nothing becomes true.
func (g Guard) text(family string, ports []*Workload) string {
	var b strings.Builder
	policy, names := "accept", g.Counters
	if g.Drop {
		policy, names = "drop", append([]string{"dropped"}, names...)
	}
	var rules []string
	for _, p := range ports {
		names = append(names, p.Interface())
		rules = append(rules, fmt.Sprintf(`iifname "%s*" counter name %[1]s`, p.Interface()))
	}
	switch {
	case g.Stateful && family == "inet":
		rules = append(rules, "ct state established,related accept", "ct state invalid drop")
	case g.Stateful:
		rules = append(rules, "meta mark "+answered+" accept")
	}
	if family == "bridge" {
		// Without them there is no neighbor to accept anything of.
		rules = append(rules, "meta protocol arp accept", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept")
	}
	rules = append(rules, g.Rules...)
	if g.Drop {
		rules = append(rules, "counter name dropped")
	}
	fmt.Fprintf(&b, "table %s guard {\n", family)
	for _, n := range names {
		fmt.Fprintf(&b, " counter %s { }\n", n)
	}
	fmt.Fprintf(&b, " chain forward {\n  type filter hook forward priority 0; policy %s;\n }\n}\n", policy)
	fmt.Fprintf(&b, "flush chain %s guard forward\n", family)
	fmt.Fprintf(&b, "table %s guard {\n chain forward {\n  %s\n }\n}\n", family, strings.Join(rules, "\n  "))
	return b.String()
}

// track has a transparent function remember connections, or not.
func (f *Function) track(on bool) error {
	if on && f.Command("test", "-d", "/proc/sys/net/bridge").Run() != nil {
		return fmt.Errorf("function %s cannot know connections: the kernel shows what is bridged to connection tracking by module br_netfilter; run \"modprobe br_netfilter\"", f.In.ID)
	}
	if err := script(hiddenFromIP(f.Namespace(), !on)); err != nil {
		return err
	}
	text := "table inet track\ndelete table inet track\n"
	if on {
		text += "table inet track {\n chain everything {\n  type filter hook prerouting priority 0; policy accept;\n" +
			"  ct state established,related meta mark set " + answered + "\n  ct state invalid drop\n }\n}\n"
	}
	return f.nft(text)
}

// hiddenFromIP is a line of shell that says whether the firewall of IP, and with it
// connection tracking, sees what is bridged in a namespace. Linux can show it (module
// br_netfilter), and with some kernels does unless it is told otherwise.
func hiddenFromIP(ns string, hidden bool) string {
	value := "1"
	if hidden {
		value = "0"
	}
	return sysctls(ns, "net.bridge.bridge-nf-call-iptables="+value, "net.bridge.bridge-nf-call-ip6tables="+value,
		"net.bridge.bridge-nf-filter-vlan-tagged="+value)
}

// nft has nftables take a text in the function's namespace, all of it or nothing.
func (f *Function) nft(text string) error {
	if _, err := exec.LookPath("nft"); err != nil {
		return errors.New("nft is missing: run \"apt-get install nftables\"")
	}
	cmd := f.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the rules of function %s: %w: %s", f.In.ID, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Counters are the named counters in the function's namespace.
func (f *Function) Counters(ctx context.Context) (map[string]Counter, error) {
	out, err := outputContext(ctx, nil, "ip", "netns", "exec", f.Namespace(), "nft", "-j", "list", "counters")
	if err != nil {
		return nil, err
	}
	counters, err := readCounters(out)
	if err != nil {
		return nil, fmt.Errorf("reading the counters of function %s: %w", f.In.ID, err)
	}
	return counters, nil
}

// readCounters reads libnftables-json(5).
func readCounters(out string) (map[string]Counter, error) {
	var answer struct {
		NFTables []struct {
			Counter *struct {
				Name string
				Counter
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		return nil, err
	}
	counters := map[string]Counter{}
	for _, o := range answer.NFTables {
		if o.Counter != nil {
			counters[o.Counter.Name] = o.Counter.Counter
		}
	}
	return counters, nil
}
