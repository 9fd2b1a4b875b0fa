package ofctrl

import (
	"sync"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// chunk is about how many bytes are written at once.
const chunk = 64 << 10

// buffers are for the writers: an idle session has none.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, chunk+8<<10)
	return &b
}}

// writeLoop writes until the session ends.
func (s *session) writeLoop() error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := s.flush(); err != nil {
			return err
		}
		timer.Reset(time.Until(s.due()))
		select {
		case <-s.wake:
		case <-timer.C:
		case <-s.ctx.Done():
			return nil
		}
	}
}

// flush writes all that there is to write.
func (s *session) flush() error {
	buf := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= 4*chunk {
			buffers.Put(buf)
		}
	}()
	for s.ctx.Err() == nil {
		var err error
		if *buf, err = s.fill((*buf)[:0], time.Now()); err != nil || len(*buf) == 0 {
			return err
		}
		// A switch that does not read is as good as one that is silent.
		if err := s.conn.SetWriteDeadline(time.Now().Add(2 * s.srv.cfg.EchoInterval)); err != nil {
			return err
		}
		n, err := s.conn.Write(*buf)
		s.plan.bytes.Add(uint64(n))
		s.srv.metrics.sent.Add(float64(n))
		if err != nil {
			return err
		}
	}
	return nil
}

// fill appends what is to be written next.
func (s *session) fill(b []byte, now time.Time) ([]byte, error) {
	b = s.out.appendTo(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.keepAlive(b, now)
	if err != nil {
		return b, err
	}
	for len(b) < chunk {
		if s.sending == nil && !s.nextBatch() {
			return s.check(b, now), nil
		}
		b = s.appendBatch(b, now)
	}
	return b, nil
}

// keepAlive probes a switch that was silent for a while.
func (s *session) keepAlive(b []byte, now time.Time) ([]byte, error) {
	if s.deaf.Load() {
		return b, nil
	}
	heard := s.heard.Load()
	silent := time.Duration(now.UnixNano() - heard)
	switch {
	case silent >= 2*s.srv.cfg.EchoInterval:
		return b, ErrSilent
	case s.compare != nil && now.After(s.compare.deadline):
		return b, errSlowDump
	case silent >= s.srv.cfg.EchoInterval && s.echoed != heard:
		s.echoed = heard
		echo := openflow.EchoRequest(nil)
		openflow.SetXID(echo, echoXID)
		b = append(b, echo...)
	}
	return b, nil
}

// due is when the writer has to look again.
func (s *session) due() time.Time {
	if s.deaf.Load() {
		return time.Now().Add(s.srv.cfg.EchoInterval)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.heard.Load()
	due := time.Unix(0, heard).Add(s.srv.cfg.EchoInterval)
	if s.echoed == heard {
		due = due.Add(s.srv.cfg.EchoInterval)
	}
	if t := s.nextCheck(); t.Before(due) {
		due = t
	}
	return due
}
