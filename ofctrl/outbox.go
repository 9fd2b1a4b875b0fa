package ofctrl

import (
	"errors"
	"sync"
)

// Bounds of an outbox in bytes.
const (
	maxControl = 256 << 10
	maxPackets = 256 << 10
)

var errNotReading = errors.New("the switch asks much and reads nothing")

// outbox holds messages that are ready to be sent, and do not wait for changes.
type outbox struct {
	wake func()

	mu       sync.Mutex
	controls []byte // echo replies and such
	packets  []byte
}

// control queues an answer; that fails when the switch does not read.
func (o *outbox) control(msg []byte) error { return o.put(&o.controls, maxControl, errNotReading, msg) }

// packet queues a packet-out.
func (o *outbox) packet(msg []byte) error { return o.put(&o.packets, maxPackets, ErrBusy, msg) }

func (o *outbox) put(queue *[]byte, bound int, full error, msg []byte) error {
	o.mu.Lock()
	if len(*queue)+len(msg) > bound {
		o.mu.Unlock()
		return full
	}
	*queue = append(*queue, msg...)
	o.mu.Unlock()
	o.wake()
	return nil
}

// appendTo moves all that is queued to b.
func (o *outbox) appendTo(b []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	b = append(append(b, o.controls...), o.packets...)
	o.controls, o.packets = nil, nil
	return b
}
