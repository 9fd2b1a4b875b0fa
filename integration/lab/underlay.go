package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
)

// Labs take blocks of 512 addresses from the space that is reserved between
// providers and their customers (RFC 6598), which a machine hardly has routes for.
var underlaySpace = netip.MustParsePrefix("100.96.0.0/11")

const (
	blockBits = 9
	blocks    = 1 << (32 - 11 - blockBits)
)

// address is the lab's address of a number: 1 is the controller's, 1 + N host N's.
func (l *Lab) address(n int) netip.Addr {
	b := underlaySpace.Addr().As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v += uint32(l.state.Block)<<blockBits + uint32(n)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

func (l *Lab) prefixLen() int { return 32 - blockBits }

// underlay makes the network between the hosts: a bridge in a namespace of its
// own, with a veth pair to the root namespace.
func (l *Lab) underlay() error {
	if err := os.MkdirAll(l.dir(), 0o700); err != nil {
		return err
	}
	unlock, err := lockBlocks()
	if err != nil {
		return err
	}
	defer unlock()
	if l.state.Block, err = freeBlock(); err != nil {
		return err
	}
	l.Controller = l.address(1)
	ns, root := l.namespace("net"), "dv-"+l.Name
	return script(
		"ip netns add "+ns,
		fmt.Sprintf("ip -n %s link add ubr type bridge", ns),
		fmt.Sprintf("ip -n %s link set ubr mtu %d up", ns, underlayMTU),
		fmt.Sprintf("ip link add %s mtu %d type veth peer name root netns %s mtu %d", root, underlayMTU, ns, underlayMTU),
		fmt.Sprintf("ip -n %s link set root master ubr up", ns),
		fmt.Sprintf("ip netns exec %s ethtool -K root tx off >/dev/null", ns),
		fmt.Sprintf("ethtool -K %s tx off >/dev/null", root),
		fmt.Sprintf("ip addr add %s/%d dev %s", l.Controller, l.prefixLen(), root),
		fmt.Sprintf("ip link set %s up", root),
	)
}

// lockBlocks keeps labs that start at once from taking the same addresses.
func lockBlocks() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(Root, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// freeBlock is a block in which the machine has no address.
func freeBlock() (int, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return 0, err
	}
	for b := range blocks {
		l := Lab{state: state{Block: b}}
		block := netip.PrefixFrom(l.address(0), l.prefixLen())
		taken := false
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Masked().Overlaps(block) {
				taken = true
			}
		}
		if !taken {
			return b, nil
		}
	}
	return 0, fmt.Errorf("no free block of addresses in %s: remove labs with \"dovetail lab down --all\"", underlaySpace)
}
