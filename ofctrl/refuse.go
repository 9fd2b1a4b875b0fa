package ofctrl

import (
	"bytes"
	"errors"
	"slices"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// refusals are what the switch refused in this session. session.mu guards it.
type refusals struct {
	// refused has the entries, with the Sum that was refused: comparisons do not
	// miss them.
	refused map[openflow.ID]uint64
	// reported has the owners of whom the Handler knows already.
	reported map[feedOwner]struct{}
	// confused counts refused additions that say that the switch's groups and
	// meters are not what we think, since it was last found to be as wanted.
	confused int
	// replayed says that a bundle was refused since the last comparison, and
	// ownFault that groups or meters then were not as later messages assumed.
	replayed, ownFault bool
}

type feedOwner struct {
	feed  *Feed
	owner string
}

// maxConfused is the number of confused errors that a comparison may put right,
// before they are refusals like others.
const maxConfused = 3

// Errors that have a meaning of their own (OpenFlow 1.3.5, A.4.4).
func isSlave(e *openflow.ErrorMsg) bool { return e.Type == 1 && e.Code == 10 }
func isConfused(e *openflow.ErrorMsg) bool {
	return e.Type == 6 && (e.Code == 0 || e.Code == 8) || // the group exists, is unknown
		e.Type == 12 && (e.Code == 1 || e.Code == 3) // the meter exists, is unknown
}

// forgive forgets what was refused of an owner whose entries change.
func (s *session) forgive(feed *Feed, c *change) {
	if len(s.reported) > 0 {
		delete(s.reported, feedOwner{feed, c.owner})
	}
	if len(s.refused) > 0 {
		for _, id := range c.dels {
			delete(s.refused, id)
		}
		for i := range c.mods {
			delete(s.refused, c.mods[i].ID)
		}
	}
}

// forgiveFeed forgets who was refused in a feed.
func (s *session) forgiveFeed(feed *Feed) {
	for k := range s.reported {
		if k.feed == feed {
			delete(s.reported, k)
		}
	}
}

// onError handles an error message.
func (s *session) onError(m openflow.Message) error {
	e, err := openflow.DecodeError(m)
	if err != nil {
		return err
	}
	s.srv.metrics.errors.Inc()
	if isSlave(e) {
		return ErrNotMaster
	}
	e.Data = bytes.Clone(e.Data)
	if s.asked.onRefusal(e) {
		return nil
	}
	o, known, err := s.traceError(e)
	if errors.Is(err, errCompareNow) {
		return s.finishCompare()
	}
	if err != nil {
		return err
	}
	if o != nil {
		s.log.Warn().Str("feed", o.feed.name).Str("owner", o.owner).Err(e).Msg("the switch refused an entry")
		s.srv.cfg.Handler.Refused(s.plan.dpid, o.feed, o.owner, e)
	} else if !known {
		s.log.Debug().Err(e).Msg("error from the switch")
	}
	return nil
}

// traceError finds what an error is about. It returns an op that is to be
// reported.
func (s *session) traceError(e *openflow.ErrorMsg) (o *op, known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, b := range s.outstanding {
		if !b.has(e.XID) {
			continue
		}
		i, isOp := b.opAt(e.XID)
		switch {
		case isOp && b.bundle == 0:
			return s.refuse(at, &b.job.ops[i], e), true, nil
		case isOp:
			if b.opErrors == nil {
				b.opErrors = make(map[int]bool)
			}
			b.opErrors[i] = true
		case b.bundle != 0:
			b.failed = true
			s.noBundles = s.noBundles || e.XID == b.first+uint32(len(b.job.ops)) // it could not even be opened
		}
		return nil, true, nil
	}
	known, err = s.checkRefused(e)
	return nil, known, err
}

// refuse notes that an op of s.outstanding[at] was refused. It returns the op if
// that is to be reported.
func (s *session) refuse(at int, o *op, e *openflow.ErrorMsg) *op {
	if isConfused(e) && (o.kind == opModify || s.confused < maxConfused) {
		if o.kind == opAdd { // what cannot be modified is added next time
			s.confused++
		}
		s.suspect = true
		s.ownFault = s.ownFault || s.replayed
		s.nudge()
		return nil
	}
	if o.feed == nil || o.kind == opDelete || s.later(at + 1)[o.id] {
		return nil
	}
	if s.refused == nil {
		s.refused = make(map[openflow.ID]uint64)
		s.reported = make(map[feedOwner]struct{})
	}
	s.srv.metrics.refused.Inc()
	s.refused[o.id] = o.sum
	k := feedOwner{o.feed, o.owner}
	if _, ok := s.reported[k]; ok {
		return nil
	}
	s.reported[k] = struct{}{}
	return o
}

// later is every ID that a batch from outstanding[at] on is about.
func (s *session) later(at int) map[openflow.ID]bool {
	ids := make(map[openflow.ID]bool)
	for _, b := range s.outstanding[at:] {
		for i := range b.job.ops {
			ids[b.job.ops[i].id] = true
		}
	}
	return ids
}

// replay sends the refused part of the bundle outstanding[at] again as plain
// messages, so that one bad entry does not stop the others. What batches after
// it were about stays as those left it.
func (s *session) replay(at int) {
	b := s.outstanding[at]
	later := s.later(at + 1)
	var ops []op
	for i, o := range b.job.ops {
		if (b.failed || b.opErrors[i]) && !later[o.id] {
			ops = append(ops, o)
		}
	}
	if len(ops) == 0 {
		return
	}
	b.waiting, s.replayed = true, true
	if s.compare != nil {
		s.compare.void = true
	}
	i := 0
	for i < len(s.jobs) && s.jobs[i].replays != nil {
		i++
	}
	s.jobs = slices.Insert(s.jobs, i, &job{ops: ops, plain: true, replays: b})
}
