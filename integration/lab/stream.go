package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A stream sends a piece at each step, 0.8 MB a second: enough to be a transfer, and
// little enough that it leaves a small machine to the others.
const (
	streamStep  = 5 * time.Millisecond
	streamPiece = 4 << 10
)

// Stream is a long TCP transfer to an echo server and back, over one connection. It
// checks that what comes back is what was sent, and knows how long it has waited. Its
// methods are safe for concurrent use.
type Stream struct {
	conn net.Conn
	stop chan struct{}
	work sync.WaitGroup

	mu      sync.Mutex
	bytes   int64
	last    time.Time // when something came back, or the stream began
	longest time.Duration
	err     error
}

// StartStream opens a connection from a machine to an echo server (see Serve) and
// sends until Stop, which must be called.
func StartStream(ctx context.Context, from Machine, to netip.AddrPort) (*Stream, error) {
	c, err := Dial(ctx, from, to, netip.AddrPort{})
	if err != nil {
		return nil, fmt.Errorf("a stream from %s to %s: %w", from.Namespace(), to, err)
	}
	s := &Stream{conn: c, stop: make(chan struct{}), last: time.Now()}
	s.work.Go(s.send)
	s.work.Go(s.receive)
	return s, nil
}

// byteAt is what the stream has at an offset: no part of it looks like the next.
func byteAt(offset int64) byte { return byte(offset % 251) }

func (s *Stream) send() {
	tick := time.NewTicker(streamStep)
	defer tick.Stop()
	piece := make([]byte, streamPiece)
	for sent := int64(0); ; sent += streamPiece {
		for i := range piece {
			piece[i] = byteAt(sent + int64(i))
		}
		// It blocks while the other side takes nothing.
		if _, err := s.conn.Write(piece); err != nil {
			s.fail(err)
			return
		}
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
	}
}

func (s *Stream) receive() {
	buf := make([]byte, 4*streamPiece)
	for at := int64(0); ; {
		n, err := s.conn.Read(buf)
		if n > 0 {
			s.came(n)
		}
		for _, b := range buf[:n] {
			if b != byteAt(at) {
				s.fail(fmt.Errorf("byte %d came back as another", at))
				return
			}
			at++
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

func (s *Stream) came(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.bytes, s.longest, s.last = s.bytes+int64(n), max(s.longest, now.Sub(s.last)), now
}

// fail notes the first thing that went wrong.
func (s *Stream) fail(err error) {
	select {
	case <-s.stop:
		return // the end of the connection is our doing
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// Bytes are how many have come back.
func (s *Stream) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// Waiting is how long nothing has come back.
func (s *Stream) Waiting() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last)
}

// Err is why the stream has ended by itself; nil while it goes on or waits.
func (s *Stream) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stop ends the stream, and returns how many bytes came back, the longest time in
// which none did, and the error if it had ended by itself.
func (s *Stream) Stop() (bytes int64, longest time.Duration, err error) {
	close(s.stop)
	closed := s.conn.Close()
	s.work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.longest = max(s.longest, time.Since(s.last))
		return s.bytes, s.longest, closed
	}
	return s.bytes, s.longest, errors.Join(s.err, closed)
}
