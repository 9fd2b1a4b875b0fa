package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// VLAN is an interface of a routed function for the frames of one VLAN at one of its
// ports. The kernel's own need a module that not every kernel has: this one is a TAP
// interface, and this process puts tags on and takes them off.
type VLAN struct {
	// Name is the interface's: "in.100", say, which rules of a Guard and routes can name.
	Name string

	id      uint16
	port    *Workload
	tap     *os.File
	sniffer *Sniffer
	stop    chan struct{}
	work    sync.WaitGroup
}

// AddVLAN gives a port of a routed function an interface for a VLAN, 1 to 4094, with the
// port's MAC and addresses. Close must be called, before the lab's end.
func (f *Function) AddVLAN(port *Workload, id int, addresses ...netip.Prefix) (*VLAN, error) {
	if f.bridged {
		return nil, fmt.Errorf("function %s is transparent: tags pass as they are", f.In.ID)
	}
	if id < 1 || id > 4094 {
		return nil, fmt.Errorf("VLAN %d of %s: it is 1 to 4094", id, port.ID)
	}
	v := &VLAN{Name: fmt.Sprintf("%s.%d", port.Interface(), id), id: uint16(id), port: port, stop: make(chan struct{})}
	if err := Inside(f.Namespace(), v.open); err != nil {
		return nil, fmt.Errorf("making interface %s of %s: %w", v.Name, port.ID, err)
	}
	if err := v.configure(addresses); err != nil {
		return nil, errors.Join(err, v.tap.Close())
	}
	var err error
	if v.sniffer, err = port.Sniff(); err != nil {
		return nil, errors.Join(err, v.tap.Close())
	}
	v.work.Go(v.untag)
	v.work.Go(v.tag)
	f.vlans = append(f.vlans, v)
	return v, nil
}

// open makes the TAP interface, which goes when it is closed.
func (v *VLAN) open() error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	request, err := unix.NewIfreq(v.Name)
	if err == nil {
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	v.tap = os.NewFile(uintptr(fd), v.Name)
	return nil
}

func (v *VLAN) configure(addresses []netip.Prefix) error {
	ns, e := v.port.Namespace(), v.port.Entry()
	lines := []string{
		fmt.Sprintf(`mtu=$(ip netns exec %s cat /sys/class/net/%s/mtu)`, ns, v.port.Interface()),
		fmt.Sprintf(`ip -n %s link set %s address %s mtu "$mtu"`, ns, v.Name, e.MAC),
	}
	for _, a := range addresses {
		nodad := ""
		if a.Addr().Is6() {
			nodad = " nodad"
		}
		lines = append(lines, fmt.Sprintf("ip -n %s addr add %s dev %s%s", ns, a, v.Name, nodad))
	}
	return script(append(lines, fmt.Sprintf("ip -n %s link set %s up", ns, v.Name))...)
}

// untag takes the VLAN's frames from the port.
func (v *VLAN) untag() {
	for {
		frame, err := v.sniffer.Next(50*time.Millisecond, v.carries)
		select {
		case <-v.stop:
			return
		default:
		}
		if err == nil {
			// What the interface does not take, because it is down, is lost.
			_, _ = v.tap.Write(append(frame[:12:12], frame[16:]...))
		} else if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, unix.ENETDOWN) {
			return // the port is gone
		}
	}
}

// carries says whether a frame is in the VLAN.
func (v *VLAN) carries(frame []byte) bool {
	return len(frame) >= 18 && binary.BigEndian.Uint16(frame[12:]) == unix.ETH_P_8021Q && binary.BigEndian.Uint16(frame[14:])&0xfff == v.id
}

// tag sends what leaves by the interface out of the port.
func (v *VLAN) tag() {
	buf := make([]byte, 1<<16)
	for {
		n, err := v.tap.Read(buf)
		if err != nil {
			return // Close
		}
		if n < 12 {
			continue
		}
		out := binary.BigEndian.AppendUint16(append([]byte(nil), buf[:12]...), unix.ETH_P_8021Q)
		out = binary.BigEndian.AppendUint16(out, v.id)
		// What the port does not take is lost.
		_ = v.sniffer.send(append(out, buf[12:n]...))
	}
}

// Close removes the interface.
func (v *VLAN) Close() error {
	close(v.stop)
	err := v.tap.Close()
	v.work.Wait()
	return errors.Join(err, v.sniffer.Close())
}
