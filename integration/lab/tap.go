package lab

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxTapped is how many frames a tap keeps; those after them it counts all the same.
const maxTapped = 1 << 14

// tapBuffer is room for frames that come in bursts, in bytes.
const tapBuffer = 16 << 20

// Tap counts and keeps the frames that come to a workload. Its methods are safe for
// concurrent use.
type Tap struct {
	sniffer *Sniffer
	stop    chan struct{}
	work    sync.WaitGroup

	mu     sync.Mutex
	count  int
	frames [][]byte
	err    error
}

// StartTap starts to listen at a workload. Only frames that wanted says yes to count;
// nil wants all. It is called by another goroutine. Close must be called.
func StartTap(at *Workload, wanted func(frame []byte) bool) (*Tap, error) {
	s, err := at.Sniff()
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", at.ID, err)
	}
	if wanted == nil {
		wanted = func([]byte) bool { return true }
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, tapBuffer); err != nil {
		return nil, errors.Join(fmt.Errorf("making room for the frames of %s: %w", at.ID, err), s.Close())
	}
	t := &Tap{sniffer: s, stop: make(chan struct{})}
	t.work.Go(func() { t.listen(wanted) })
	return t, nil
}

func (t *Tap) listen(wanted func([]byte) bool) {
	for {
		frame, err := t.sniffer.Next(50*time.Millisecond, wanted)
		select {
		case <-t.stop:
			return
		default:
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.mu.Lock()
			t.err = err
			t.mu.Unlock()
			return
		}
		if err == nil {
			t.keep(frame)
		}
	}
}

func (t *Tap) keep(frame []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count++; len(t.frames) < maxTapped {
		t.frames = append(t.frames, frame)
	}
}

// Count is how many frames have come.
func (t *Tap) Count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// Frames are those that have come, with their VLAN tags, in order: the first 16,384.
// They must not be changed.
func (t *Tap) Frames() [][]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.frames)
}

// Close ends the tap. It fails if frames came faster than the tap could read them.
func (t *Tap) Close() error {
	close(t.stop)
	t.work.Wait()
	stats, err := unix.GetsockoptTpacketStats(t.sniffer.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err == nil && stats.Drops > 0 {
		err = fmt.Errorf("a tap has missed %d of %d frames", stats.Drops, stats.Packets)
	}
	return errors.Join(t.err, err, t.sniffer.Close())
}
