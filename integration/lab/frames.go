package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Send sends Ethernet frames from a machine's eth0, whatever they say.
func Send(from Machine, frames ...[]byte) error { return sendAt(from, "eth0", frames...) }

func sendAt(from Machine, name string, frames ...[]byte) error {
	return Inside(from.Namespace(), func() error {
		ifc, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		for _, frame := range frames {
			if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: ifc.Index, Halen: 6}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Sniffer sees the frames that come to a machine, whoever they are for. It is not
// safe for concurrent use.
type Sniffer struct{ fd int }

// Sniff starts to listen at a machine's eth0; frames are kept from now on, as many as the socket's
// buffer holds. Close must be called.
func Sniff(at Machine) (*Sniffer, error) { return sniffAt(at, "eth0") }

func sniffAt(at Machine, name string) (*Sniffer, error) {
	s := &Sniffer{fd: -1}
	return s, Inside(at.Namespace(), func() (err error) {
		ifc, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
		// A socket of no protocol hears nothing until it is bound to the interface.
		if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err = unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: ifc.Index}); err != nil {
			_ = unix.Close(s.fd)
			return err
		}
		mreq := unix.PacketMreq{Ifindex: int32(ifc.Index), Type: unix.PACKET_MR_PROMISC}
		if err = unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
			_ = unix.Close(s.fd)
		}
		return err
	})
}

// Next waits for the first frame that wanted says yes to, and drops those before it.
func (s *Sniffer) Next(timeout time.Duration, wanted func(frame []byte) bool) ([]byte, error) {
	end := time.Now().Add(timeout)
	buf := make([]byte, 1<<16)
	for {
		left := time.Until(end)
		if left <= 0 {
			return nil, fmt.Errorf("no such frame within %s", timeout)
		}
		tv := unix.NsecToTimeval(max(left, time.Millisecond).Nanoseconds())
		if err := unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return nil, err
		}
		n, from, err := unix.Recvfrom(s.fd, buf, 0)
		if err == unix.EAGAIN || err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading frames: %w", err)
		}
		// What the machine itself sends passes here as well.
		if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if wanted(buf[:n]) {
			return append([]byte(nil), buf[:n]...), nil
		}
	}
}

// Close ends the sniffer.
func (s *Sniffer) Close() error { return unix.Close(s.fd) }
