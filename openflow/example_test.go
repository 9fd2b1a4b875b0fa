package openflow_test

import (
	"fmt"
	"net/netip"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// A flow is a value that prints as ovs-ofctl prints it.
func ExampleFlow_String() {
	flow := openflow.Flow{
		Table:    10,
		Priority: 100,
		Match: openflow.Match{
			openflow.EthType.Uint(0x0800),
			openflow.Reg0.Uint(5),
			openflow.IPv4Dst.Prefix(netip.MustParsePrefix("10.0.0.0/24")),
		},
		Actions: []openflow.Action{
			openflow.SetField{FieldValue: openflow.EthDst.MAC([6]byte{2, 0, 0, 0, 0, 1})},
			openflow.DecTTL{},
		},
		Goto: 20,
	}
	fmt.Println(flow)
	// Output: table=10, priority=100,ip,reg0=0x5,nw_dst=10.0.0.0/24 actions=set_field:02:00:00:00:00:01->eth_dst,dec_ttl,goto_table:20
}

// Seal makes the flows of one object ready to be sent.
func ExampleSeal() {
	entries, err := openflow.Seal("tenants/red/endpoints/web1", []openflow.Flow{{Table: 10, Priority: 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := entries[0]
	fmt.Printf("table %d, priority %d, %d bytes\n", e.ID.Table, e.ID.Priority, len(e.Add))
	fmt.Println(uint32(e.ID.Cookie>>32) == openflow.SourceID("tenants/red/endpoints/web1"))
	// Output:
	// table 10, priority 1, 56 bytes
	// true
}
