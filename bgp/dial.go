package bgp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// hopLimit lets peers be several hops away.
const hopLimit = 64

func (p *peer) dial(ctx context.Context) (*net.TCPConn, error) {
	to := p.cfg.peer
	d := net.Dialer{
		Timeout: p.s.limits.open,
		Control: func(_, _ string, raw syscall.RawConn) error {
			var err error
			if e := raw.Control(func(fd uintptr) { err = setOptions(int(fd), to) }); e != nil {
				return e
			}
			return err
		},
	}
	conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(to.Address, to.Port).String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

func setOptions(fd int, to Peer) error {
	level, option := unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	if to.Address.Is4() {
		level, option = unix.IPPROTO_IP, unix.IP_TTL
	}
	if err := unix.SetsockoptInt(fd, level, option, hopLimit); err != nil {
		return fmt.Errorf("setting the hop limit: %w", err)
	}
	if to.Password == "" {
		return nil
	}
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, signature(to)); err != nil {
		return fmt.Errorf("setting the password (TCP MD5, which the kernel must have): %w", err)
	}
	return nil
}

// signature is struct tcp_md5sig of tcp(7).
func signature(to Peer) *unix.TCPMD5Sig {
	sig := unix.TCPMD5Sig{Keylen: uint16(len(to.Password))}
	copy(sig.Key[:], to.Password)
	// The address as sockaddr_in and sockaddr_in6 have it, after family and port.
	if to.Address.Is4() {
		sig.Addr.Family = unix.AF_INET
		a := to.Address.As4()
		copy(sig.Addr.Data[2:], a[:])
	} else {
		sig.Addr.Family = unix.AF_INET6
		a := to.Address.As16()
		copy(sig.Addr.Data[6:], a[:])
	}
	return &sig
}
