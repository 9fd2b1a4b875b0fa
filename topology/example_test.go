package topology_test

import (
	"fmt"

	"github.com/dovetail-sdn/dovetail/topology"
)

func Example() {
	objects, err := topology.DecodeManifest([]byte(`
kind: Endpoint
metadata: {tenant: acme, name: web1}
spec: {network: blue}
---
kind: Network
metadata: {tenant: acme, name: blue}
spec:
  subnets:
  - cidr: 10.0.0.0/24
---
kind: Tenant
metadata: {name: acme}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var changes []topology.Change
	for _, o := range objects {
		changes = append(changes, topology.Change{Op: topology.OpPut, Object: o})
	}
	intent := topology.NewState()
	draft, err := intent.Try(changes, topology.Env{})
	if err != nil {
		fmt.Println(err)
		return
	}
	web1 := draft.Objects[0].(*topology.Endpoint)
	fmt.Println(web1.Key(), "has", web1.Allocated.Addresses)

	_, err = intent.Try([]topology.Change{{Op: topology.OpDelete, Key: topology.Key{Kind: topology.KindTenant, Name: "acme"}}}, topology.Env{})
	fmt.Println(err)
	// Output:
	// Endpoint acme/web1 has [10.0.0.2]
	// Tenant acme is still referenced by Endpoint acme/web1, Network acme/blue: delete those first
}
