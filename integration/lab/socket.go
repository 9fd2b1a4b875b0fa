package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Inside runs f with the calling thread in a namespace. Sockets that f makes stay
// there; goroutines that it starts do not.
func Inside(namespace string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		// The thread is not unlocked, so that it ends with the goroutine: it never
		// serves others in a wrong namespace.
		runtime.LockOSThread()
		ns, err := netns.GetFromPath(filepath.Join("/run/netns", namespace))
		if err != nil {
			done <- fmt.Errorf("opening namespace %s: %w", namespace, err)
			return
		}
		defer func() { _ = ns.Close() }()
		if err := netns.Set(ns); err != nil {
			done <- fmt.Errorf("entering namespace %s: %w", namespace, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Send sends an Ethernet frame from the workload's interface, whatever it says.
func (w *Workload) Send(frame []byte) error {
	return Inside(w.Namespace(), func() error {
		ifc, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }()
		return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: ifc.Index, Halen: 6})
	})
}

// TCP opens a connection from w to an address of another workload, which listens
// for it, and sends bytes both ways.
func (w *Workload) TCP(to *Workload, addr netip.Addr, timeout time.Duration) error {
	var ln net.Listener
	err := Inside(to.Namespace(), func() (err error) {
		ln, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
		return err
	})
	if err != nil {
		return fmt.Errorf("listening at %s: %w", addr, err)
	}
	defer func() { _ = ln.Close() }()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		buf := make([]byte, 4096)
		if n, err := c.Read(buf); err == nil {
			_, _ = c.Write(buf[:n])
		}
	}()
	return Inside(w.Namespace(), func() error {
		c, err := net.DialTimeout("tcp", ln.Addr().String(), timeout)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		buf := make([]byte, 5)
		_, err = c.Read(buf)
		return err
	})
}

// Pinger sends ICMP echo requests at an interval and counts the replies.
type Pinger struct {
	fd      int
	to      netip.Addr
	id      uint16
	sent    atomic.Int64
	replied atomic.Int64
	stop    chan struct{}
	work    sync.WaitGroup

	mu      sync.Mutex
	seen    map[uint16]bool // replies of the last round of sequence numbers
	first   time.Time
	last    time.Time
	longest time.Duration
}

var pingerID atomic.Uint32

// NewPinger starts a pinger. Stop must be called.
func (w *Workload) NewPinger(to netip.Addr, interval time.Duration) (*Pinger, error) {
	p := &Pinger{to: to, id: uint16(os.Getpid()) ^ uint16(pingerID.Add(1)*7919), stop: make(chan struct{}), seen: map[uint16]bool{}}
	err := Inside(w.Namespace(), func() (err error) {
		family, proto := unix.AF_INET, unix.IPPROTO_ICMP
		if to.Is6() {
			family, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
		}
		p.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening a raw socket in %s: %w", w.Namespace(), err)
	}
	if err := unix.SetsockoptTimeval(p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}); err != nil {
		return nil, errors.Join(err, unix.Close(p.fd))
	}
	p.work.Go(func() { p.send(interval) })
	p.work.Go(p.receive)
	return p, nil
}

func (p *Pinger) send(interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
		seq := uint16(p.sent.Add(1))
		p.mu.Lock()
		delete(p.seen, seq)
		p.mu.Unlock()
		_ = unix.Sendto(p.fd, p.request(seq), 0, p.sockaddr())
	}
}

func (p *Pinger) sockaddr() unix.Sockaddr {
	if p.to.Is6() {
		return &unix.SockaddrInet6{Addr: p.to.As16()}
	}
	return &unix.SockaddrInet4{Addr: p.to.As4()}
}

func (p *Pinger) request(seq uint16) []byte {
	b := make([]byte, 16)
	b[0] = 8
	if p.to.Is6() {
		b[0] = 128 // the kernel fills in the checksum
	}
	binary.BigEndian.PutUint16(b[4:], p.id)
	binary.BigEndian.PutUint16(b[6:], seq)
	if p.to.Is4() {
		var sum uint32
		for i := 0; i < len(b); i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
		sum = sum>>16 + sum&0xffff
		sum += sum >> 16
		binary.BigEndian.PutUint16(b[2:], ^uint16(sum))
	}
	return b
}

func (p *Pinger) receive() {
	buf := make([]byte, 2048)
	reply := byte(0)
	if p.to.Is6() {
		reply = 129
	}
	for {
		select {
		case <-p.stop:
			return
		default:
		}
		n, _, err := unix.Recvfrom(p.fd, buf, 0)
		if err != nil {
			if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
				continue
			}
			return
		}
		b := buf[:n]
		if p.to.Is4() {
			if len(b) < 20 || len(b) < int(b[0]&15)*4 {
				continue
			}
			b = b[int(b[0]&15)*4:]
		}
		if len(b) < 8 || b[0] != reply || binary.BigEndian.Uint16(b[4:]) != p.id {
			continue
		}
		p.got(binary.BigEndian.Uint16(b[6:]))
	}
}

func (p *Pinger) got(seq uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[seq] {
		return
	}
	p.seen[seq] = true
	now := time.Now()
	if p.first.IsZero() {
		p.first = now
	} else {
		p.longest = max(p.longest, now.Sub(p.last))
	}
	p.last = now
	p.replied.Add(1)
}

// Replies is how many were counted so far.
func (p *Pinger) Replies() int { return int(p.replied.Load()) }

// FirstReply is when the first reply came; zero if none has.
func (p *Pinger) FirstReply() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first
}

// Stop ends the pinger, gives replies that are on their way the time to come, and
// returns how many requests were sent, how many of them got no reply, and the
// longest time between two replies.
func (p *Pinger) Stop() (sent, lost int, longest time.Duration) {
	close(p.stop)
	// The receiver ends with its next time-out; what came until then counts.
	p.work.Wait()
	p.drain()
	_ = unix.Close(p.fd)
	p.mu.Lock()
	defer p.mu.Unlock()
	sent = int(p.sent.Load())
	return sent, sent - int(p.replied.Load()), p.longest
}

// drain takes replies to the last requests.
func (p *Pinger) drain() {
	end := time.Now().Add(time.Second)
	p.stop = make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.receive()
	}()
	for p.replied.Load() < p.sent.Load() && time.Now().Before(end) {
		time.Sleep(time.Millisecond)
	}
	close(p.stop)
	<-done
}
