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
		GatewayAllocation
	}
	FloatingIPStatus struct {
		Status
		FloatingIPAllocation
	}
)
