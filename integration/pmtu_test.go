package integration

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

// mtuSite is an edge with endpoints in a network of MTU 1450: a on h3 (source NAT, routed
// IPv6), b on h1 with a floating IP there, c on h3 with one at the gateway.
type mtuSite struct {
	*edge
	a, b, c *node
	a6      netip.Addr
}

var floatingHere, floatingAtGateway = netip.MustParseAddr("203.0.113.51"), netip.MustParseAddr("203.0.113.52")

// startMTU makes that site; external is the external network's MTU, far that of the link
// to the server.
func startMTU(t *testing.T, external, far int) *mtuSite {
	t.Helper()
	s := &mtuSite{edge: startEdge(t, far)}
	s.both(routedPrefix)
	if external != 0 {
		s.api.apply(t, strings.Replace(externalNetwork, "physicalNetwork: physnet1", fmt.Sprintf("physicalNetwork: physnet1\n  mtu: %d", external), 1))
		if out, err := s.router.Command("ip", "link", "set", "eth0", "mtu", fmt.Sprint(external)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	m := new(manifest).tenant("acme").network("acme", "blue", "10.0.0.0/24", routedPrefix.String()).connected("acme", "core", "{name: edge}", "blue")
	for _, e := range []string{"a", "b", "c"} {
		m.endpoint("acme", e, "blue")
	}
	m.floating("acme", "here", "endpoint: b, address: "+floatingHere.String())
	m.floating("acme", "there", "endpoint: c, address: "+floatingAtGateway.String())
	s.api.apply(t, m.String())
	s.a, s.b, s.c = s.attach("acme/a", "h3"), s.attach("acme/b", "h1"), s.attach("acme/c", "h3")
	s.realized("acme/a", "acme/b", "acme/c")
	s.api.realized(t, "/v1/gateways/edge", "/v1/tenants/acme/floating-ips/here", "/v1/tenants/acme/floating-ips/there")
	for _, a := range s.a.addresses {
		if strings.Contains(a, ":") {
			s.a6 = netip.MustParseAddr(a)
		}
	}
	for _, w := range s.outward() {
		s.must(lab.Ping(t.Context(), w.from, w.to))
	}
	for _, w := range s.inward() {
		s.must(lab.Ping(t.Context(), w.from, w.to))
	}
	return s
}

func (s *mtuSite) outward() []way {
	return []way{
		{"source NAT", s.a, serverAddr}, {"floating IP here", s.b, serverAddr}, {"floating IP at the gateway", s.c, serverAddr},
		{"routed", s.a, serverAddr6},
	}
}

func (s *mtuSite) inward() []way {
	return []way{
		{"floating IP here", s.server, floatingHere}, {"floating IP at the gateway", s.server, floatingAtGateway}, {"routed", s.server, s.a6},
	}
}

// tooLarge pings with a packet of so many bytes that must not be cut, until somebody says
// which size would pass.
func (w way) tooLarge(t *testing.T, size, mtu int, by ...string) {
	t.Helper()
	payload := size - 28
	if w.to.Is6() {
		payload = size - 48
	}
	want := fmt.Sprintf("mtu = %d)", mtu) // of IPv4; IPv6 is "Packet too big: mtu=1300"
	if w.to.Is6() {
		want = fmt.Sprintf("mtu=%d", mtu)
	}
	eventually(t, 10*time.Second, func() error {
		out, _ := w.from.Command("ping", "-n", "-M", "do", "-c", "1", "-W", "1", "-s", fmt.Sprint(payload), w.to.String()).CombinedOutput()
		for _, line := range strings.Split(string(out), "\n") {
			from, said := strings.CutPrefix(line, "From ")
			if said && strings.Contains(line, want) {
				for _, b := range by {
					if !strings.HasPrefix(from, b+" ") {
						return fmt.Errorf("%s: %q is not from %s", w.name, line, b)
					}
				}
				return nil
			}
		}
		return fmt.Errorf("%s: a ping of %d bytes from %s to %s: want %q in\n%s", w.name, size, w.from.Namespace(), w.to, want, out)
	})
}

// echoed sends so many bytes to an echo server, and checks what comes back: large packets
// go both ways.
func echoed(c net.Conn, size int64) error {
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	sent, got := sha256.New(), sha256.New()
	failed := make(chan error, 1)
	go func() {
		_, err := io.Copy(c, io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), size), sent))
		failed <- err
	}()
	n, err := io.CopyN(got, c, size)
	if err != nil {
		_ = c.Close()
		return errors.Join(fmt.Errorf("after %d bytes have come back: %w", n, err), <-failed)
	}
	if err := <-failed; err != nil {
		return err
	}
	if !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
		return errors.New("other bytes came back than were sent")
	}
	return nil
}

// transfers sends 10 MB both ways over TCP, on each way.
func (s *mtuSite) transfers(t *testing.T) {
	t.Helper()
	v4, v6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	servers := map[string]*lab.Server{
		"floating IP here": s.serve(s.b, "tcp", v4, 80), "floating IP at the gateway": s.serve(s.c, "tcp", v4, 80), "routed": s.serve(s.a, "tcp", v6, 80),
	}
	out4, out6 := s.serve(s.server, "tcp", v4, 81), s.serve(s.server, "tcp", v6, 82)
	for _, w := range append(s.outward(), s.inward()...) {
		port := out4.Addr().Port()
		switch {
		case w.from == lab.Machine(s.server):
			port = servers[w.name].Addr().Port()
		case w.to.Is6():
			port = out6.Addr().Port()
		}
		began := time.Now()
		if err := echoed(s.dial(w.from, netip.AddrPortFrom(w.to, port)), 10<<20); err != nil {
			t.Errorf("10 MB and back, %s from %s to %s: %v", w.name, w.from.Namespace(), w.to, err)
		}
		t.Logf("10 MB and back, %s from %s to %s: %s", w.name, w.from.Namespace(), w.to, time.Since(began).Round(time.Millisecond))
	}
}

// Acceptance 6 of gateways: where the external network's MTU is smaller than the
// inside's, who sends learns it, and TCP gets through.
func TestExternalNetworkWithASmallMTU(t *testing.T) {
	t.Parallel()
	s := startMTU(t, 1300, 0)
	for _, w := range s.outward() {
		by := "10.0.0.1"
		if w.to.Is6() {
			by = "2001:db8:1::1"
		}
		w.tooLarge(t, 1428, 1300, by)
	}
	s.transfers(t)
}

// The same, where it is a link far away whose MTU is small: what its router says gets in.
func TestFarLinkWithASmallMTU(t *testing.T) {
	t.Parallel()
	s := startMTU(t, 0, 1300)
	for _, w := range s.outward() {
		by := routerAddr.String()
		if w.to.Is6() {
			by = "2001:db8:f::1"
		}
		w.tooLarge(t, 1428, 1300, by)
	}
	s.transfers(t)
}

// From outside, the network inside is the one with the small MTU. Neither that nor a TTL
// that runs out tells an outsider an address inside, but of what is routed.
func TestOutsidersHearOfErrors(t *testing.T) {
	t.Parallel()
	s := startMTU(t, 0, 0)
	lane := s.lane().Addresses
	v4, v6 := lane[0].String(), lane[1].String()
	if lane[0].Is6() {
		v4, v6 = v6, v4
	}
	by := map[string]string{"floating IP here": floatingHere.String(), "floating IP at the gateway": v4, "routed": v6}
	for _, w := range s.inward() {
		w.tooLarge(t, 1500, 1450, by[w.name])
		first := "198.51.100.1"
		if w.to.Is6() {
			first = "2001:db8:a::1"
		}
		w.path(t, first, by[w.name])
	}
	for _, w := range s.outward() {
		if w.to.Is4() {
			w.path(t, "10.0.0.1", "203.0.113.1")
		} else {
			w.path(t, "2001:db8:1::1", "2001:db8:f::1")
		}
	}
}

// path sends packets of TTL 1, 2 and so on: the hops say that it ran out, then the
// destination answers.
func (w way) path(t *testing.T, hops ...string) {
	t.Helper()
	for ttl := 1; ttl <= len(hops)+1; ttl++ {
		want := fmt.Sprintf("bytes from %s:", w.to)
		if ttl <= len(hops) {
			want = "From " + hops[ttl-1] + " icmp_seq=1 Time"
		}
		eventually(t, 10*time.Second, func() error {
			out, _ := w.from.Command("ping", "-n", "-c", "1", "-W", "1", "-t", fmt.Sprint(ttl), w.to.String()).CombinedOutput()
			if !bytes.Contains(out, []byte(want)) {
				return fmt.Errorf("%s: TTL %d from %s to %s: want %q in\n%s", w.name, ttl, w.from.Namespace(), w.to, want, out)
			}
			return nil
		})
	}
}
