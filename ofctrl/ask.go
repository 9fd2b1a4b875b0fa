package ofctrl

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// Bounds on what is asked of a switch: questions at the same time, and flows of one answer
// that are kept.
const (
	maxAsked   = 8
	maxCounted = 1 << 13
)

// asked are the questions that the switch has not answered yet. Its lock is never held
// together with another one.
type asked struct {
	places chan struct{}

	mu   sync.Mutex
	last uint32
	open map[uint32]*answer // by transaction id
}

// answer is what has come of an answer.
type answer struct {
	stats []openflow.FlowStat
	err   error
	done  chan struct{} // closed when it is complete
}

func newAsked() asked {
	return asked{places: make(chan struct{}, maxAsked), open: map[uint32]*answer{}}
}

// ask asks the switch for flows.
func (s *session) ask(ctx context.Context, q openflow.FlowQuery) ([]openflow.FlowStat, error) {
	select {
	case s.asked.places <- struct{}{}:
		defer func() { <-s.asked.places }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.ctx.Done():
		return nil, ErrNotConnected
	}
	xid, a := s.asked.begin()
	defer s.asked.forget(xid)
	msg := q.Request()
	openflow.SetXID(msg, xid)
	if err := s.out.packet(msg); err != nil {
		return nil, err
	}
	select {
	case <-a.done:
		return a.stats, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.ctx.Done():
		return nil, ErrNotConnected
	}
}

func (k *asked) begin() (xid uint32, a *answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = (k.last + 1) & 0xffffff
	xid, a = askXID+k.last, &answer{done: make(chan struct{})}
	k.open[xid] = a
	return xid, a
}

func (k *asked) forget(xid uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, xid)
}

// onPart takes a part of an answer, whether or not somebody still waits for it.
func (k *asked) onPart(xid uint32, part openflow.Multipart) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.open[xid]
	if a == nil || part.Type != openflow.MultipartFlow {
		return nil
	}
	err := openflow.EachFlowStat(part.Body, func(s *openflow.FlowStat) {
		if s.Packets > 0 && len(a.stats) <= maxCounted {
			kept := *s
			kept.Match, kept.Instructions = bytes.Clone(s.Match), bytes.Clone(s.Instructions)
			a.stats = append(a.stats, kept)
		}
	})
	if len(a.stats) > maxCounted {
		a.stats, a.err = nil, fmt.Errorf("the answer has more than %d flows that have counted something", maxCounted)
	}
	if a.err != nil || !part.More {
		k.end(xid, a)
	}
	return err
}

// onRefusal ends a question that the switch does not understand. It says whether the error
// is about one.
func (k *asked) onRefusal(e *openflow.ErrorMsg) bool {
	if e.XID < askXID {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if a := k.open[e.XID]; a != nil {
		a.stats, a.err = nil, e
		k.end(e.XID, a)
	}
	return true
}

// end completes an answer. What still comes of it is dropped.
func (k *asked) end(xid uint32, a *answer) {
	delete(k.open, xid)
	close(a.done)
}
