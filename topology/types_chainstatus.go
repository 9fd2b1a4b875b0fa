package topology

import "time"

// InstanceStatus says where an instance of a service function is, and whether it works.
type InstanceStatus struct {
	// In and Out are the names of its endpoints; Out is left out if that is the same.
	In  string `json:"in"`
	Out string `json:"out,omitempty"`
	// Number is unique in the function, 1 to 31, and stable.
	Number int `json:"number"`
	// Host is where it is; empty while it is nowhere.
	Host string `json:"host,omitempty"`
	// Healthy: it is on a host that lives, and its ports are up.
	Healthy bool `json:"healthy"`
	// Since is when it became so, as far as the controller has seen it.
	Since time.Time `json:"since,omitzero"`
	// Reason says in one sentence why it is not healthy.
	Reason string `json:"reason,omitempty"`
	// Drain: it takes no new connections.
	Drain bool `json:"drain,omitempty"`
}

// HopStatus says how a function of a chain fares. What switches have counted is only known
// where one chain was asked for.
type HopStatus struct {
	HopAllocation
	Type FunctionType `json:"type,omitempty"`
	// FailMode is what happens to packets that no instance can take, as it works out:
	// "closed", "open", "reroute, then closed" or "reroute, then open". A tap has none.
	FailMode string `json:"failMode,omitempty"`
	// Tagged: packets have the tag VLAN at the function.
	Tagged    bool          `json:"tagged,omitempty"`
	Instances []HopInstance `json:"instances,omitempty"`
	// Dropped are packets that no instance could take, and Skipped those that
	// went on without the function. Which of them there is depends on FailMode.
	Dropped *uint64 `json:"dropped,omitempty"`
	Skipped *uint64 `json:"skipped,omitempty"`
}

// HopInstance is an instance in a chain.
type HopInstance struct {
	InstanceStatus
	// Counters are what the chain has given to the instance.
	Counters *Counters `json:"counters,omitempty"`
	// Connections is how many times the instance was chosen for a connection of the chain, since
	// its flows are there. Nil where that is not counted: where there is only one
	// instance, of taps, and where local instances are preferred.
	Connections *uint64 `json:"connections,omitempty"`
}

// Counters count the two directions of a chain, since its flows are there.
type Counters struct {
	Forward  Count `json:"forward"`
	Backward Count `json:"backward"`
}

// Count is what went one way.
type Count struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Add adds what was counted elsewhere.
func (c *Count) Add(o Count) {
	c.Packets += o.Packets
	c.Bytes += o.Bytes
}

// SkippedWithout says whether packets go on without the function when no instance can take
// them; else they are dropped. They do without a tap.
func (f *ServiceFunction) SkippedWithout() bool {
	mode := f.Spec.FailMode
	if mode == FailReroute || mode == "" {
		mode = f.Spec.LastResort
	}
	return f.Spec.Type == FunctionTap || mode == FailOpen
}

// FailModeText is what happens to packets of a function that no instance can take; empty
// for a tap.
func (f *ServiceFunction) FailModeText() string {
	last := FailClosed
	if f.SkippedWithout() {
		last = FailOpen
	}
	switch mode := f.Spec.FailMode; {
	case f.Spec.Type == FunctionTap:
		return ""
	case mode == "" || mode == FailReroute:
		return string(FailReroute) + ", then " + string(last)
	}
	return string(last)
}

// InstancesNow joins what was said of a function's instances and allocated for them with
// what was found out.
func InstancesNow(f *ServiceFunction, now []InstanceStatus) []InstanceStatus {
	var list []InstanceStatus
	for i, a := range f.Allocated.Instances {
		st := InstanceStatus{In: a.In, Number: a.Number}
		for _, s := range now {
			if s.Number == a.Number {
				st = s
			}
		}
		if i < len(f.Spec.Instances) {
			st.Out, st.Drain = f.Spec.Instances[i].Out, f.Spec.Instances[i].Drain
		}
		list = append(list, st)
	}
	return list
}

// HopsNow joins what was allocated for a chain's hops with how they fare.
func HopsNow(allocated []HopAllocation, now []HopStatus) []HopStatus {
	var list []HopStatus
	for _, a := range allocated {
		st := HopStatus{}
		for _, s := range now {
			if s.Function == a.Function {
				st = s
			}
		}
		st.HopAllocation = a
		list = append(list, st)
	}
	return list
}
