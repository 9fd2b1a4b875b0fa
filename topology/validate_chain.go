package topology

import "fmt"

// The bounds of service functions and chains.
const (
	MaxFunctionID  = 65000 // Open vSwitch has 65536 meters, of which a function has one
	MaxInstances   = 31    // of a service function
	MaxShared      = 256
	MaxChainID     = 4094
	MaxHops        = 7  // of a chain
	MaxSides       = 64 // on each side of a chain
	MaxChainPorts  = 64 // ranges, of a chain
	MaxPriority    = 10_000
	maxVLAN        = 4094 // IEEE 802.1Q
	minProbeMillis = 100
	maxProbeMillis = 60_000
	maxProbeFails  = 10
)

func validateFunction(f *ServiceFunction) error {
	key, s := f.Key(), f.Spec
	switch s.Type {
	case FunctionTransparent, FunctionRouted, FunctionRewriting, FunctionTap:
	default:
		return invalid(key, "spec.type", "%s; it is transparent, routed, rewriting or tap", quoteShort(string(s.Type)))
	}
	if err := validateInstances(key, s); err != nil {
		return err
	}
	if err := validateFailMode(key, s); err != nil {
		return err
	}
	if err := validateProbe(key, s); err != nil {
		return err
	}
	if len(s.SharedWith) > MaxShared {
		return invalid(key, "spec.sharedWith", "%d tenants; at most %d", len(s.SharedWith), MaxShared)
	}
	seen := map[string]bool{}
	for i, name := range s.SharedWith {
		field := fmt.Sprintf("spec.sharedWith[%d]", i)
		if reason := checkName(name); reason != "" {
			return invalid(key, field, "%s", reason)
		}
		if seen[name] {
			return invalid(key, field, "%s is named twice", name)
		}
		seen[name] = true
	}
	return nil
}

func validateInstances(key Key, s ServiceFunctionSpec) error {
	if len(s.Instances) > MaxInstances {
		return invalid(key, "spec.instances", "%d instances; at most %d", len(s.Instances), MaxInstances)
	}
	seen := map[string]string{} // endpoint to the field that it is in
	once := func(field, name string) error {
		if reason := checkName(name); reason != "" {
			return invalid(key, field, "%s", reason)
		}
		if other, twice := seen[name]; twice {
			return invalid(key, field, "endpoint %s is %s already; an endpoint is in one instance, and out is left out where it is in", name, other)
		}
		seen[name] = field
		return nil
	}
	for i, in := range s.Instances {
		field := fmt.Sprintf("spec.instances[%d]", i)
		if err := once(field+".in", in.In); err != nil {
			return err
		}
		if in.Out != "" {
			if s.Type == FunctionTap {
				return invalid(key, field+".out", "a tap gets copies, and gives nothing back; leave it out")
			}
			if err := once(field+".out", in.Out); err != nil {
				return err
			}
		}
		if in.Weight < 0 || in.Weight > maxWeight {
			return invalid(key, field+".weight", "%d; a weight is 1 to %d, or 0 for 1", in.Weight, maxWeight)
		}
	}
	return nil
}

func validateFailMode(key Key, s ServiceFunctionSpec) error {
	if s.Type == FunctionTap {
		const reason = "packets go on whatever becomes of their copies; leave it out for a tap"
		if s.FailMode != "" {
			return invalid(key, "spec.failMode", reason)
		}
		if s.LastResort != "" {
			return invalid(key, "spec.lastResort", reason)
		}
		return nil
	}
	switch s.FailMode {
	case "", FailReroute:
		switch s.LastResort {
		case "", FailClosed, FailOpen:
			return nil
		}
		return invalid(key, "spec.lastResort", "%s; it is closed or open", quoteShort(string(s.LastResort)))
	case FailClosed, FailOpen:
		if s.LastResort != "" {
			return invalid(key, "spec.lastResort", "it is for failMode reroute only; leave it out with %s", s.FailMode)
		}
		return nil
	}
	return invalid(key, "spec.failMode", "%s; it is reroute, closed or open", quoteShort(string(s.FailMode)))
}

func validateProbe(key Key, s ServiceFunctionSpec) error {
	p := s.Probe
	if p == nil {
		return nil
	}
	if s.Type == FunctionTap {
		return invalid(key, "spec.probe", "a tap is not asked; leave it out")
	}
	switch p.Protocol {
	case ProbeARP, ProbeICMP:
		if p.Port != 0 {
			return invalid(key, "spec.probe.port", "%s has no ports; leave it out", p.Protocol)
		}
	case ProbeTCP:
		if s.Type == FunctionTransparent {
			return invalid(key, "spec.probe.protocol", "a transparent function has no port that answers; choose arp or icmp")
		}
		if p.Port < 1 || p.Port > 65535 {
			return invalid(key, "spec.probe.port", "%d is no port; it is 1 to 65535", p.Port)
		}
	default:
		return invalid(key, "spec.probe.protocol", "%s; it is arp, icmp or tcp", quoteShort(string(p.Protocol)))
	}
	if n := p.IntervalMillis; n != 0 && (n < minProbeMillis || n > maxProbeMillis) {
		return invalid(key, "spec.probe.intervalMillis", "%d; it is %d to %d, or 0 for 1000", n, minProbeMillis, maxProbeMillis)
	}
	if n := p.Failures; n < 0 || n > maxProbeFails {
		return invalid(key, "spec.probe.failures", "%d; it is 1 to %d, or 0 for 3", n, maxProbeFails)
	}
	return nil
}

func validateChain(c *Chain) error {
	key, s := c.Key(), c.Spec
	if reason := checkName(s.Router); reason != "" {
		return invalid(key, "spec.router", "%s", reason)
	}
	if err := validateFunctions(c); err != nil {
		return err
	}
	if err := validateSides(key, "spec.sources", s.Sources); err != nil {
		return err
	}
	if err := validateSides(key, "spec.destinations", s.Destinations); err != nil {
		return err
	}
	if err := validateChainPorts(key, s); err != nil {
		return err
	}
	if s.Priority < 0 || s.Priority > MaxPriority {
		return invalid(key, "spec.priority", "%d; a priority is 1 to %d, or 0 to have one allocated", s.Priority, MaxPriority)
	}
	return nil
}

func validateFunctions(c *Chain) error {
	key, list := c.Key(), c.Spec.Functions
	if len(list) == 0 || len(list) > MaxHops {
		return invalid(key, "spec.functions", "%d functions; 1 to %d", len(list), MaxHops)
	}
	seen := map[Key]int{}
	for i, at := range c.FunctionKeys() {
		field := fmt.Sprintf("spec.functions[%d]", i)
		if checkName(at.Name) != "" || checkName(at.Tenant) != "" {
			return invalid(key, field, "%s is no service function; write its name, or TENANT/NAME for one of another tenant that shares it", quoteShort(list[i]))
		}
		if j, twice := seen[at]; twice {
			return invalid(key, field, "%s is spec.functions[%d] already; a chain passes a function once", at, j)
		}
		seen[at] = i
	}
	return nil
}

func validateSides(key Key, at string, list []Side) error {
	if len(list) > MaxSides {
		return invalid(key, at, "%d entries; at most %d", len(list), MaxSides)
	}
	seen := map[string]int{}
	for i, s := range list {
		field := fmt.Sprintf("%s[%d]", at, i)
		if err := validateSide(key, field, s); err != nil {
			return err
		}
		text := fmt.Sprint(s) // in which maps are sorted
		if j, twice := seen[text]; twice {
			return invalid(key, field, "the same as %s[%d]", at, j)
		}
		seen[text] = i
	}
	return nil
}

func validateSide(key Key, field string, s Side) error {
	set := 0
	for _, is := range []bool{s.Network != "", len(s.Labels) > 0, s.CIDR.IsValid(), s.External} {
		if is {
			set++
		}
	}
	if set != 1 {
		return invalid(key, field, "%d selectors; set exactly one of network, labels, cidr and external", set)
	}
	switch {
	case s.Network != "":
		if reason := checkName(s.Network); reason != "" {
			return invalid(key, field+".network", "%s", reason)
		}
	case s.CIDR.IsValid():
		if reason := checkPrefix(s.CIDR); reason != "" {
			return invalid(key, field+".cidr", "%s", reason)
		}
		if what, bad := withinSpecial(s.CIDR); bad {
			return invalid(key, field+".cidr", "%s is in %s, which is not routed", s.CIDR, what)
		}
	case !s.External:
		return validateLabels(key, field+".labels", s.Labels)
	}
	return nil
}

func validateChainPorts(key Key, s ChainSpec) error {
	switch s.Protocol {
	case "tcp", "udp":
	case "", "icmp":
		if len(s.Ports) > 0 {
			return invalid(key, "spec.ports", "ports are those of tcp or udp: set spec.protocol to one of the two, or leave ports out")
		}
	default:
		return invalid(key, "spec.protocol", "%s; it is tcp, udp or icmp, or left out for any", quoteShort(s.Protocol))
	}
	if len(s.Ports) > MaxChainPorts {
		return invalid(key, "spec.ports", "%d ranges; at most %d", len(s.Ports), MaxChainPorts)
	}
	for i, r := range s.Ports {
		field := fmt.Sprintf("spec.ports[%d]", i)
		if r.First < 1 || r.Last < r.First {
			return invalid(key, field, "write a port such as 80, or a range such as 8000-8100")
		}
		for j, o := range s.Ports[:i] {
			if r.overlaps(o) {
				return invalid(key, field, "%s overlaps spec.ports[%d], %s", r, j, o)
			}
		}
	}
	return nil
}
