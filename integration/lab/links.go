package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// interfaceName is what a workload's interface is called inside.
func interfaceName(chosen string) string {
	if chosen == "" {
		return "eth0"
	}
	return chosen
}

// makeLink makes a workload's interface, whose other end is a port in a host's
// namespace, with addresses and default routes.
func makeLink(inside, outside, port string, cfg AttachConfig) error {
	name := interfaceName(cfg.Interface)
	mac, err := net.ParseMAC(cfg.MAC)
	if err != nil {
		return err
	}
	in, err := netns.GetFromPath(filepath.Join("/run/netns", inside))
	if err != nil {
		return fmt.Errorf("opening namespace %s: %w", inside, err)
	}
	defer func() { _ = in.Close() }()
	out, err := netns.GetFromPath(filepath.Join("/run/netns", outside))
	if err != nil {
		return fmt.Errorf("opening namespace %s: %w", outside, err)
	}
	defer func() { _ = out.Close() }()
	if err := Inside(inside, quietIPv6); err != nil {
		return err
	}
	veth := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: port, PeerNamespace: netlink.NsFd(out)}
	veth.Name, veth.HardwareAddr, veth.MTU, veth.Namespace = name, mac, cfg.MTU, netlink.NsFd(in)
	if veth.MTU == 0 {
		veth.MTU = 1450
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("adding %s: %w", port, err)
	}
	if err := Inside(inside, func() error { return txOff(name) }); err != nil {
		return err
	}
	if err := linkUp(out, port); err != nil {
		return err
	}
	return configure(in, name, cfg)
}

// quietIPv6 is for the namespace of a workload: its addresses are unique by the
// store, so that nobody has to look for duplicates, and its routes are known.
func quietIPv6() error {
	for name, value := range map[string]string{"accept_dad": "0", "accept_ra": "0", "router_solicitations": "0"} {
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

func configure(in netns.NsHandle, name string, cfg AttachConfig) error {
	h, err := netlink.NewHandleAt(in)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range cfg.Addresses {
		addr := &netlink.Addr{IPNet: ipNet(a.Addr().AsSlice(), a.Bits())}
		if a.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("adding address %s: %w", a, err)
		}
	}
	if err := linkUp(in, "lo"); err != nil {
		return err
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting %s up: %w", name, err)
	}
	for _, g := range cfg.Gateways {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: g.AsSlice(), Dst: ipNet(make([]byte, g.BitLen()/8), 0)}
		if err := h.RouteAdd(route); err != nil {
			return fmt.Errorf("adding the default route by %s: %w", g, err)
		}
	}
	return nil
}

func ipNet(ip []byte, bits int) *net.IPNet {
	return &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, 8*len(ip))}
}

func linkUp(ns netns.NsHandle, name string) error {
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(name)
	if err == nil {
		err = h.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("setting %s up: %w", name, err)
	}
	return nil
}

// removeLink removes a workload's interface at once; the namespace alone would take
// its time, and the name of its other end would stay taken for as long.
func removeLink(inside, name string) error {
	return Inside(inside, func() error { return deleteLink(name) })
}

// txOff makes the kernel compute checksums of what leaves an interface of the
// calling thread's namespace. Open vSwitch's userspace datapath takes frames as they
// are: with checksums left to a card that does not exist, ping works and TCP does not.
func txOff(name string) error {
	const ethtoolSetTxChecksum = 0x17 // ETHTOOL_STXCSUM of linux/ethtool.h
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	value := struct{ cmd, data uint32 }{ethtoolSetTxChecksum, 0}
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the rest of struct ifreq's union
	}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	request.data = unsafe.Pointer(&value)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(&value)
	if errno != 0 {
		return fmt.Errorf("turning transmit checksums of %s off: %w", name, errno)
	}
	return nil
}
