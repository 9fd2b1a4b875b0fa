package integration

import (
	be "encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// A machine on the external network cannot speak to the BFD sessions by which gateway
// hosts watch each other: what nobody knows is asked for through the tunnel that has
// such a session, and Open vSwitch takes what comes in there for the session's.
func TestOutsidersCannotSpeakBFD(t *testing.T) {
	t.Parallel()
	e := startEdge(t, 0)
	m := new(manifest)
	m.tenant("acme").network("acme", "blue", "10.0.0.0/24").connected("acme", "core", "{name: edge}", "blue").endpoint("acme", "a", "blue", "10.0.0.11")
	e.api.apply(t, m.String())
	n := e.attach("acme/a", "h3")
	e.realized(n.id)
	e.api.realized(t, "/v1/gateways/edge", "/v1/tenants/acme/routers/core")
	n.mustPing(t, routerAddr.String())
	snat := e.api.get(t, "/v1/tenants/acme/routers/core").Status.Gateways[0].Addresses[0]

	// All but stand-in, which is up only while a host is missed.
	sees := func() string {
		out, err := e.lab.Host("h2").Vsctl("--bare", "--columns=bfd_status", "find", "interface", "bfd:enable=true", "options:in_key!=16777215")
		e.must(err)
		return strings.TrimSpace(out)
	}
	eventually(t, 10*time.Second, func() error {
		if s := sees(); s == "" || strings.Count(s, "diagnostic=") != 2*strings.Count(s, "remote_state=up state=up") {
			return fmt.Errorf("h2 does not see the others: %s", s)
		}
		return nil
	})
	mac := e.neighbourOf(e.router, snat)
	before, after := "", ""
	// A busy machine loses sessions by itself, once in a while.
	for range 3 {
		before = sees()
		for range 20 {
			e.must(lab.Send(e.router, downBFD(e.router.MAC(), mac, routerAddr, snat)))
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(1500 * time.Millisecond) // switches report such states about once a second
		if after = sees(); after == before {
			return
		}
	}
	t.Errorf("the session of h2 with h1 changes:\n%s\n%s", before, after)
}

// neighbourOf is the MAC that a machine outside knows for an address.
func (e *edge) neighbourOf(o *lab.Outside, a netip.Addr) net.HardwareAddr {
	e.t.Helper()
	var mac net.HardwareAddr
	eventually(e.t, 5*time.Second, func() error {
		_ = e.tryPingOnce(o, a)
		out, err := o.Command("ip", "neigh", "show", a.String()).CombinedOutput()
		if err != nil {
			return err
		}
		f := strings.Fields(string(out))
		for i, w := range f {
			if w == "lladdr" {
				mac, err = net.ParseMAC(f[i+1])
				return err
			}
		}
		return fmt.Errorf("%s does not know %s: %s", o.Namespace(), a, out)
	})
	return mac
}

func (e *edge) tryPingOnce(o *lab.Outside, a netip.Addr) error {
	return o.Command("ping", "-c", "1", "-W", "1", a.String()).Run()
}

// downBFD is a BFD packet (RFC 5880, 4.1; RFC 5881) that says that its sender's session is down.
func downBFD(src string, dst net.HardwareAddr, from, to netip.Addr) []byte {
	hw, err := net.ParseMAC(src)
	if err != nil {
		panic(err)
	}
	f := append(append([]byte{}, dst...), hw...)
	f = append(f, 0x08, 0)
	ip := make([]byte, 20+8+24)
	ip[0], ip[8], ip[9] = 0x45, 255, 17
	be.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], from.AsSlice())
	copy(ip[16:], to.AsSlice())
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(be.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	be.BigEndian.PutUint16(ip[10:], ^uint16(sum))
	be.BigEndian.PutUint16(ip[20:], 49152)
	be.BigEndian.PutUint16(ip[22:], 3784)
	be.BigEndian.PutUint16(ip[24:], 8+24)
	bfd := ip[28:]
	bfd[0], bfd[1], bfd[2], bfd[3] = 1<<5, 1<<6, 3, 24 // version 1, state down, times 3
	be.BigEndian.PutUint32(bfd[4:], 0x1234)            // its discriminator; it knows none of ours
	be.BigEndian.PutUint32(bfd[12:], 1_000_000)
	be.BigEndian.PutUint32(bfd[16:], 1_000_000)
	return append(f, ip...)
}
