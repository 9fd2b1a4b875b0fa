package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Ping sends echo requests from a machine until one is answered, or ctx ends.
func Ping(ctx context.Context, from Machine, to netip.Addr) error {
	p, err := NewPinger(from, to, 100*time.Millisecond)
	if err != nil {
		return err
	}
	defer p.Stop()
	select {
	case <-p.heard:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not reach %s: %w", from.Namespace(), to, ctx.Err())
	}
}

// Pinger sends ICMP echo requests at an interval and counts the replies.
type Pinger struct {
	fd      int
	to      netip.Addr
	id      uint16
	sent    atomic.Int64
	replied atomic.Int64
	stop    chan struct{}
	heard   chan struct{} // closed by the first reply
	work    sync.WaitGroup

	mu      sync.Mutex
	seen    map[uint16]bool // replies of the last round of sequence numbers
	first   time.Time
	last    time.Time
	longest time.Duration
}

var pingerID atomic.Uint32

// NewPinger starts a pinger on a machine. Stop must be called.
func NewPinger(from Machine, to netip.Addr, interval time.Duration) (*Pinger, error) {
	p := &Pinger{to: to, id: uint16(os.Getpid()) ^ uint16(pingerID.Add(1)*7919), stop: make(chan struct{}), heard: make(chan struct{}), seen: map[uint16]bool{}}
	err := Inside(from.Namespace(), func() (err error) {
		family, proto := unix.AF_INET, unix.IPPROTO_ICMP
		if to.Is6() {
			family, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
		}
		p.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening a raw socket in %s: %w", from.Namespace(), err)
	}
	if err := unix.SetsockoptTimeval(p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}); err != nil {
		return nil, errors.Join(err, unix.Close(p.fd))
	}
	p.work.Go(func() { p.send(interval) })
	p.work.Go(func() { p.receive(p.stop) })
	return p, nil
}

func (p *Pinger) send(interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		seq := uint16(p.sent.Add(1))
		p.mu.Lock()
		delete(p.seen, seq)
		p.mu.Unlock()
		// What cannot be sent is a packet lost.
		_ = unix.Sendto(p.fd, p.request(seq), 0, p.sockaddr())
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
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

func (p *Pinger) receive(stop <-chan struct{}) {
	buf := make([]byte, 2048)
	reply := byte(0)
	if p.to.Is6() {
		reply = 129
	}
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, _, err := unix.Recvfrom(p.fd, buf, 0)
		if err != nil {
			if errors.Is(err, unix.EBADF) {
				return
			}
			continue // the time-out, or that the interface is away for a while
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
		close(p.heard)
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
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		p.receive(stop)
	}()
	for p.replied.Load() < p.sent.Load() && time.Now().Before(end) {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	<-done
}
