package topology

// Resource is an object as the API shows it: S is its kind's spec, T its status,
// which has what the store allocated, too. Who writes one sets Metadata's Name and
// Labels, and the Spec.
type Resource[S, T any] struct {
	Kind     Kind     `json:"kind"`
	Metadata Metadata `json:"metadata"`
	Spec     S        `json:"spec"`
	Status   T        `json:"status"`
}

// What was found out about an object of each kind, and allocated for it.
type (
	TenantStatus struct{ Status }

	NetworkStatus struct {
		Status
		NetworkAllocation
	}
	RouterStatus struct {
		Status
		RouterAllocation
	}
	EndpointStatus struct {
		Status
		EndpointAllocation
	}
	HostStatus struct {
		Status
		HostAllocation
		// DatapathID is in 16 hexadecimal digits, as Open vSwitch prints it: many
		// readers of JSON cannot keep a number of 64 bits.
		DatapathID string `json:"datapathID"`
	}
	ExternalNetworkStatus struct {
		Status
		ExternalNetworkAllocation
	}
	GatewayStatus struct {
		Status
		ID uint32 `json:"id"`
		// Lanes are the allocated ones, and where each is now.
		Lanes []GatewayLane `json:"lanes,omitempty"`
	}
	FloatingIPStatus struct {
		Status
		FloatingIPAllocation
	}
	ServiceStatus struct {
		Status
		ServiceAllocation
	}
	// ServiceFunctionStatus has the instances as InstancesNow joins them.
	ServiceFunctionStatus struct {
		Status
		ID uint32 `json:"id"`
	}
	// ChainStatus has the hops as HopsNow joins them.
	ChainStatus struct {
		Status
		ID         uint32 `json:"id"`
		Zone       uint32 `json:"zone"`
		Generation uint32 `json:"generation"`
		Priority   int    `json:"priority"`
	}
)

// GatewayLane is a lane as the API shows it.
type GatewayLane struct {
	Lane
	// Active is the host that carries the lane; empty if none does.
	Active string `json:"active,omitempty"`
}

// Lanes joins what was allocated for a gateway's lanes with where they are.
func Lanes(allocated []Lane, now []LaneStatus) []GatewayLane {
	var list []GatewayLane
	for _, l := range allocated {
		g := GatewayLane{Lane: l}
		for _, st := range now {
			if st.Host == l.Host {
				g.Active = st.Active
			}
		}
		list = append(list, g)
	}
	return list
}
