package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// spaces are where labs take blocks of 512 addresses from, in this order: the space
// between providers and their customers (RFC 6598), which a machine hardly has
// routes for, that of benchmarks (RFC 2544), and private space (RFC 1918).
var spaces = []netip.Prefix{
	netip.MustParsePrefix("100.96.0.0/11"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("172.24.0.0/13"),
}

const blockBits = 9

// block is the prefix of a block, counted through all spaces.
func block(n int) (netip.Prefix, bool) {
	for _, s := range spaces {
		if size := 1 << (32 - blockBits - s.Bits()); n >= size {
			n -= size
			continue
		}
		return netip.PrefixFrom(plus(s.Addr(), uint32(n)<<blockBits), 32-blockBits), true
	}
	return netip.Prefix{}, false
}

func plus(a netip.Addr, n uint32) netip.Addr {
	b := a.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+n)
	return netip.AddrFrom4(b)
}

// address is the lab's address of a number: 1 is the controller's, 1 + N host N's.
func (l *Lab) address(n int) netip.Addr {
	p, _ := block(l.state.Block)
	return plus(p.Addr(), uint32(n))
}

func (l *Lab) prefixLen() int { return 32 - blockBits }

// underlay makes the network between the hosts: a bridge in a namespace of its
// own, with a veth pair to the root namespace.
func (l *Lab) underlay() error {
	// Labs that start at once must not take the same addresses.
	unlock, err := lockFile(filepath.Join(Root, ".lock"))
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

// freeBlock is a block for which the machine has no address and no route but those
// that are meant for the rest of the world.
func freeBlock() (int, error) {
	taken, err := routes()
	if err != nil {
		return 0, fmt.Errorf("reading the machine's routes: %w", err)
	}
	for n := 0; ; n++ {
		b, ok := block(n)
		if !ok {
			return 0, errors.New("no addresses are free for a lab: remove labs with \"dovetail lab down --all\"")
		}
		if !slices.ContainsFunc(taken, b.Overlaps) {
			return n, nil
		}
	}
}

// routes are the destinations that the machine has routes for, in every table; those
// of its own addresses are among them.
func routes() ([]netip.Prefix, error) {
	list, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, err
	}
	var taken []netip.Prefix
	for _, r := range list {
		if r.Dst == nil {
			continue
		}
		p, err := netip.ParsePrefix(r.Dst.String())
		if err != nil {
			return nil, err
		}
		// Half of the world, as VPNs route it, is as good as a default route.
		if p.Bits() >= 8 {
			taken = append(taken, p.Masked())
		}
	}
	return taken, nil
}
