package packet

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// These tests talk to the network stack of Linux, in a namespace of their own, through
// a tap: the test is all that is at the other end of the wire.

// limit is when a test gives up on what Linux should do.
const limit = 10 * time.Second

// A wire leads to a Linux host with the addresses a4 and a6, for which macR is
// the neighbour n4 and n6, and the way out.
type wire struct {
	t   *testing.T
	tap *os.File
	mac [6]byte
	dev netlink.Link
}

var (
	n4, n6 = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")
	// Neighbours that nobody knows yet.
	x4, x6 = netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("fd00::3")
)

// newWire makes a host. The thread of the test goes into the namespace, and ends with the
// test, and the namespace with it.
func newWire(t *testing.T) *wire {
	t.Helper()
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		t.Fatalf("making a network namespace (this test needs root): %v", err)
	}
	t.Cleanup(func() { _ = ns.Close() })
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("opening /dev/net/tun: %v", err)
	}
	req, err := unix.NewIfreq("wire")
	if err != nil {
		t.Fatal(err)
	}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		t.Fatalf("making a tap: %v", err)
	}
	w := &wire{t: t, tap: os.NewFile(uintptr(fd), "wire")}
	t.Cleanup(func() { _ = w.tap.Close() })
	w.configure()
	w.settled()
	return w
}

func (w *wire) configure() {
	w.t.Helper()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatalf("configuring the tap: %v", err)
		}
	}
	dev, err := netlink.LinkByName("wire")
	must(err)
	w.dev, w.mac = dev, [6]byte(dev.Attrs().HardwareAddr)
	for _, a := range []netip.Addr{a4, a6} {
		ipnet := &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen()-8, a.BitLen())}
		must(netlink.AddrAdd(dev, &netlink.Addr{IPNet: ipnet, Flags: unix.IFA_F_NODAD}))
	}
	must(netlink.LinkSetUp(dev))
	for _, n := range []netip.Addr{n4, n6} {
		must(netlink.NeighSet(&netlink.Neigh{LinkIndex: dev.Attrs().Index, State: netlink.NUD_PERMANENT, IP: n.AsSlice(), HardwareAddr: macR[:]}))
		all := &net.IPNet{IP: make(net.IP, n.BitLen()/8), Mask: net.CIDRMask(0, n.BitLen())}
		must(netlink.RouteAdd(&netlink.Route{LinkIndex: dev.Attrs().Index, Dst: all, Gw: n.AsSlice()}))
	}
}

// settled waits until packets to the IPv6 address are for Linux itself, which is a little
// after the link is up, even where it does not look for duplicates.
func (w *wire) settled() {
	w.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		routes, err := netlink.RouteGet(a6.AsSlice())
		if err == nil && len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("Linux does not use %s: %v, %v", a6, routes, err)
		}
	}
}

func (w *wire) send(frame []byte) {
	w.t.Helper()
	if _, err := w.tap.Write(frame); err != nil {
		w.t.Fatalf("writing to the tap: %v", err)
	}
}

// receive waits for a frame that Linux sends and that fits; others are left out.
func (w *wire) receive(what string, fits func([]byte) bool) []byte {
	w.t.Helper()
	_ = w.tap.SetReadDeadline(time.Now().Add(limit))
	buf := make([]byte, 4096)
	for {
		n, err := w.tap.Read(buf)
		if err != nil {
			w.t.Fatalf("waiting for %s: %v", what, err)
		}
		if fits(buf[:n]) {
			return bytes.Clone(buf[:n])
		}
	}
}

// packet waits for a packet of a protocol.
func (w *wire) packet(what string, proto uint8, src, dst netip.Addr) []byte {
	w.t.Helper()
	return w.receive(what, func(frame []byte) bool {
		etherType, b, _ := payload(frame)
		h, ok := parseIP(etherType, b)
		return ok && h.proto == proto && h.src == src && h.dst == dst
	})
}

// udp connects a socket to a port of b and sends a datagram, which it returns.
func (w *wire) udp(f family) (*net.UDPConn, []byte) {
	w.t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(f.b, 9)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write(make([]byte, 1200)); err != nil {
		w.t.Fatal(err)
	}
	return conn, w.packet("the datagram", protoUDP, f.a, f.b)
}

// fails waits for the error that Linux has for a socket.
func fails(t *testing.T, what string, conn net.Conn, want error) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, want) {
		t.Errorf("%s: the socket says %v, want %v", what, err, want)
	}
}

// outside is what the network behind a gateway sees of a datagram of Linux: it comes
// from the public address, and maybe another port.
func outside(t *testing.T, f family, frame []byte, port uint16) []byte {
	t.Helper()
	etherType, b, _ := payload(frame)
	h, _ := parseIP(etherType, b)
	if port == 0 {
		port = uint16(b[h.header])<<8 | uint16(b[h.header+1])
	}
	return udpFrame(t, f.p, f.b, port, 9, 1200)
}

func TestLinuxTakesTranslatedErrors(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			conn, sent := w.udp(f)
			local := uint16(conn.LocalAddr().(*net.UDPAddr).Port)
			port, tooBig := uint8(3), [2]uint8{3, 4}
			if !f.a.Is4() {
				port, tooBig = 4, [2]uint8{2, 0}
			}
			unreachable, ok := ICMPError(outside(t, f, sent, 0), f.b, f.typ, port, 0, macR, w.mac)
			if !ok {
				t.Fatal("no error")
			}
			big, _ := ICMPError(outside(t, f, sent, 4000), f.r, tooBig[0], tooBig[1], 1280, macR, w.mac)
			translated, ok := Translate(big, Translation{From: f.p, To: f.a, Protocol: protoUDP, FromPort: 4000, ToPort: local})
			if !ok {
				t.Fatal("not translated")
			}
			// Linux knows nothing of the untranslated one, or the socket would say so first.
			w.send(unreachable)
			w.send(translated)
			fails(t, "packet too big, of a forwarded port", conn, syscall.EMSGSIZE)
			translated, ok = Translate(unreachable, Translation{From: f.p, To: f.a})
			if !ok {
				t.Fatal("not translated")
			}
			w.send(translated)
			fails(t, "port unreachable", conn, syscall.ECONNREFUSED)
			if mtu := pathMTU(t, f.b); mtu != 1280 {
				t.Errorf("Linux thinks that the path's MTU is %d, want 1280", mtu)
			}
		})
	}
}

// pathMTU asks Linux for the MTU to an address.
func pathMTU(t *testing.T, a netip.Addr) int {
	t.Helper()
	routes, err := netlink.RouteGet(a.AsSlice())
	if err != nil || len(routes) != 1 {
		t.Fatalf("routes to %s: %v, %v", a, routes, err)
	}
	return routes[0].MTU
}

// What Linux says about a packet is translated on its way out, and is right there.
func TestErrorsOfLinuxAreTranslated(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			in := udpFrame(t, f.b, f.a, 9, 7, 200)
			copy(in, w.mac[:])
			w.send(in)
			proto := uint8(protoICMP)
			if !f.a.Is4() {
				proto = protoICMPv6
			}
			icmp := w.packet("port unreachable", proto, f.a, f.b)
			out, ok := Translate(icmp, Translation{From: f.a, To: f.p})
			if !ok {
				t.Fatal("not translated")
			}
			judge(t, out)
			etherType, b, _ := payload(out)
			h, _ := parseIP(etherType, b)
			want := udpFrame(t, f.b, f.p, 9, 7, 200)[ethLen:]
			if !bytes.Equal(b[h.header+8:], want) {
				t.Errorf("it quotes %x\nwant      %x", b[h.header+8:], want)
			}
		})
	}
}

func TestLinuxTakesResets(t *testing.T) {
	for name, f := range families {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			to := net.TCPAddrFromAddrPort(netip.AddrPortFrom(f.b, 80))
			fd := w.connect(to)
			reset, ok := Reset(w.packet("SYN", protoTCP, f.a, f.b), macR, w.mac)
			if !ok {
				t.Fatal("no reset")
			}
			w.send(reset)
			w.hasError(fd, syscall.ECONNREFUSED)

			// In the middle of a connection that the other end has forgotten.
			fd = w.connect(to)
			w.accept(f, w.packet("SYN", protoTCP, f.a, f.b))
			w.packet("ACK", protoTCP, f.a, f.b)
			if _, err := unix.Write(fd, []byte("data")); err != nil {
				t.Fatal(err)
			}
			reset, ok = Reset(w.packet("data", protoTCP, f.a, f.b), macR, w.mac)
			if !ok {
				t.Fatal("no reset")
			}
			w.send(reset)
			w.hasError(fd, syscall.ECONNRESET)
		})
	}
}

// connect begins a TCP connection. package net would wait for it to be there.
func (w *wire) connect(to *net.TCPAddr) (fd int) {
	w.t.Helper()
	var addr unix.Sockaddr
	domain := unix.AF_INET6
	if b := to.IP.To4(); b != nil {
		domain, addr = unix.AF_INET, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(b)}
	} else {
		addr = &unix.SockaddrInet6{Port: to.Port, Addr: [16]byte(to.IP)}
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Connect(fd, addr); err != unix.EINPROGRESS {
		w.t.Fatalf("connecting: %v", err)
	}
	return fd
}

// accept answers a SYN.
func (w *wire) accept(f family, syn []byte) {
	w.t.Helper()
	etherType, b, _ := payload(syn)
	h, _ := parseIP(etherType, b)
	s := b[h.header:]
	seq := uint32(s[4])<<24 | uint32(s[5])<<16 | uint32(s[6])<<8 | uint32(s[7])
	frame := tcpFrame(w.t, f.b, f.a, layers.TCP{SrcPort: 80, DstPort: layers.TCPPort(uint16(s[0])<<8 | uint16(s[1])), Seq: 99, Ack: seq + 1, SYN: true, ACK: true, Window: 1000}, 0)
	copy(frame, w.mac[:])
	w.send(frame)
}

// hasError waits for the error of a socket.
func (w *wire) hasError(fd int, want syscall.Errno) {
	w.t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd)}}
	if n, err := unix.Poll(fds, int(limit.Milliseconds())); n != 1 || err != nil {
		w.t.Fatalf("waiting for an error of the socket: %v", err)
	}
	if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || syscall.Errno(got) != want {
		w.t.Errorf("the socket says %v, %v, want %v", syscall.Errno(got), err, want)
	}
}

func TestLinuxAnswersQuestions(t *testing.T) {
	w := newWire(t)
	for name, c := range map[string]struct {
		question []byte
		a        netip.Addr
	}{
		"ARP":                 {ARPRequest(macR, n4, a4, broadcast), a4},
		"ARP to one":          {ARPRequest(macR, n4, a4, w.mac), a4},
		"ARP probe":           {ARPRequest(macR, netip.IPv4Unspecified(), a4, w.mac), a4},
		"solicitation":        {NeighbourSolicitation(macR, n6, a6, [6]byte{}), a6},
		"solicitation to one": {NeighbourSolicitation(macR, n6, a6, w.mac), a6},
	} {
		w.send(c.question)
		w.receive(name+": an answer", func(frame []byte) bool {
			a, mac, reply, ok := Neighbour(frame)
			return ok && reply && a == c.a && mac == w.mac && [6]byte(frame) == macR
		})
	}
	// Detecting duplicates: the answer goes to all.
	w.send(NeighbourSolicitation(macR, netip.IPv6Unspecified(), a6, [6]byte{}))
	w.receive("an answer to all", func(frame []byte) bool {
		a, mac, reply, ok := Neighbour(frame)
		return ok && reply && a == a6 && mac == w.mac && [6]byte(frame) == [6]byte{0x33, 0x33, 0, 0, 0, 1}
	})
}

// Linux asks for a neighbour, takes an announcement for the answer, and the next one
// for a change.
func TestLinuxTakesAnnouncements(t *testing.T) {
	w := newWire(t)
	for _, c := range []struct{ x, a netip.Addr }{{x4, a4}, {x6, a6}} {
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.x, 9)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := conn.Write([]byte("who are you")); err != nil {
			t.Fatal(err)
		}
		w.receive("a question", func(frame []byte) bool {
			a, mac, reply, ok := Neighbour(frame)
			return ok && !reply && a == c.a && mac == w.mac
		})
		for _, mac := range [][6]byte{macA, macB} {
			w.send(Announcement(mac, c.x))
			if got := w.neighbour(c.x); got != mac {
				t.Errorf("Linux thinks that %s is at %x, want %x", c.x, got, mac)
			}
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			w.receive("a packet to where it is", func(frame []byte) bool {
				return [6]byte(frame) == mac && bytes.HasSuffix(frame, []byte("hello"))
			})
		}
	}
}

// neighbour asks Linux for the MAC of an address.
func (w *wire) neighbour(a netip.Addr) (mac [6]byte) {
	w.t.Helper()
	list, err := netlink.NeighList(w.dev.Attrs().Index, netlink.FAMILY_ALL)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, n := range list {
		if n.IP.Equal(a.AsSlice()) {
			copy(mac[:], n.HardwareAddr)
		}
	}
	return mac
}
