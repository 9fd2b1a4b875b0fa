package lab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
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

// Sniffer sees the frames that come to a machine, whoever they are for, with their VLAN
// tags. It is not
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
		if err = unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err == nil {
			err = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1)
		}
		if err != nil {
			_ = unix.Close(s.fd)
		}
		return err
	})
}

// Next waits for the first frame that wanted says yes to, and drops those before it.
func (s *Sniffer) Next(timeout time.Duration, wanted func(frame []byte) bool) ([]byte, error) {
	end := time.Now().Add(timeout)
	buf, oob := make([]byte, 1<<16), make([]byte, 256)
	for {
		left := time.Until(end)
		if left <= 0 {
			return nil, fmt.Errorf("no such frame within %s: %w", timeout, os.ErrDeadlineExceeded)
		}
		tv := unix.NsecToTimeval(max(left, time.Millisecond).Nanoseconds())
		if err := unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
			return nil, err
		}
		n, oobn, _, from, err := unix.Recvmsg(s.fd, buf, oob, 0)
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
		frame, err := withTag(buf[:n], oob[:oobn])
		if err != nil {
			return nil, err
		}
		if wanted(frame) {
			return bytes.Clone(frame), nil
		}
	}
}

// withTag puts the VLAN tag back into a frame, which the kernel takes out and tells of
// beside it (PACKET_AUXDATA of packet(7)).
func withTag(frame, oob []byte) ([]byte, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("reading what the kernel says of a frame: %w", err)
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < auxdataSize {
			continue
		}
		if binary.NativeEndian.Uint32(m.Data)&unix.TP_STATUS_VLAN_VALID == 0 || len(frame) < 12 {
			continue
		}
		tci, tpid := binary.NativeEndian.Uint16(m.Data[16:]), binary.NativeEndian.Uint16(m.Data[18:])
		tag := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, tpid), tci)
		return slices.Concat(frame[:12], tag, frame[12:]), nil
	}
	return frame, nil
}

// auxdataSize is that of struct tpacket_auxdata of linux/if_packet.h: the status, two
// lengths and two offsets, then the tag and its Ethernet type.
const auxdataSize = 20

// send sends a frame from where the sniffer listens.
func (s *Sniffer) send(frame []byte) error { return unix.Send(s.fd, frame, 0) }

// Close ends the sniffer.
func (s *Sniffer) Close() error { return unix.Close(s.fd) }
