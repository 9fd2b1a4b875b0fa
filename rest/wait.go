package rest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// The bounds of ?timeout=.
const (
	defaultWait = 30 * time.Second
	maxWait     = 5 * time.Minute
)

// WaitQuery is part of the operations that can wait.
type WaitQuery struct {
	Wait    string `query:"wait" enum:"realized" doc:"Hold the answer until every switch concerned has acknowledged the change"`
	Timeout string `query:"timeout" doc:"How long to wait, at most 5m" example:"10s" default:"30s"`
}

// duration is how long to wait; 0 means not at all.
func (q WaitQuery) duration() (time.Duration, *Problem) {
	if q.Wait == "" {
		return 0, nil
	}
	if q.Timeout == "" {
		return defaultWait, nil
	}
	d, err := time.ParseDuration(q.Timeout)
	if err != nil || d < 0 || d > maxWait {
		return 0, invalid(FieldError{
			Message:  fmt.Sprintf("%q must be a duration from 0s to %s, like 10s or 1m30s", clip(q.Timeout), "5m"),
			Location: "query.timeout", Value: clip(q.Timeout),
		})
	}
	return max(d, time.Nanosecond), nil
}

// awaitStored waits for what has just been committed. The problem says that it is
// stored; nothing takes it back.
func (s *server) awaitStored(ctx context.Context, d time.Duration, keys []topology.Key) *Problem {
	p := s.awaitRealized(ctx, d, keys)
	if p != nil {
		p.Stored = true
		p.Detail = "the change is stored, but " + p.Detail
	}
	return p
}

// awaitRealized waits for the keys; not at all if d is 0.
func (s *server) awaitRealized(ctx context.Context, d time.Duration, keys []topology.Key) *Problem {
	if d == 0 {
		return nil
	}
	done, p := s.await(ctx)
	if p != nil {
		return s.unrealized(p, keys)
	}
	defer done()
	wait, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	stop := context.AfterFunc(stopping(ctx), cancel)
	defer stop()
	err := s.cfg.Realization.WaitRealized(wait, keys)
	switch {
	case stopping(ctx).Err() != nil && err != nil:
		return s.unrealized(unavailable("the controller is stopping"), keys)
	case err != nil && wait.Err() != nil:
		return s.unrealized(problem(http.StatusGatewayTimeout, "not-realized", "Not realized in time", "not realized within %s", d), keys)
	case err != nil:
		return s.unrealized(unavailable("waiting failed: %v", err), keys)
	}
	for _, k := range keys {
		if s.cfg.Realization.Status(k).Phase == topology.PhaseFailed {
			return s.unrealized(problem(http.StatusBadGateway, "failed", "Not realizable", "failed"), keys)
		}
	}
	return nil
}

// unrealized adds which of the objects are not realized, and why, to a problem.
func (s *server) unrealized(p *Problem, keys []topology.Key) *Problem {
	var why []string
	missing := 0
	for _, k := range keys {
		st := s.cfg.Realization.Status(k)
		if st.Phase == topology.PhaseRealized {
			continue
		}
		missing++
		if len(p.Unrealized) < 100 {
			p.Unrealized = append(p.Unrealized, ObjectStatus{k, onlyMissing(st)})
		}
		if len(why) < 3 {
			why = append(why, explain(k, st))
		}
	}
	if len(keys) > 1 {
		p.Detail += fmt.Sprintf(": %d of %d objects", missing, len(keys))
	}
	p.Detail += ": " + strings.Join(why, "; ")
	return p
}

// onlyMissing leaves of the hosts those that have not acknowledged, at most 20: a
// problem is read by people, and an object may concern a thousand hosts.
func onlyMissing(st topology.Status) topology.Status {
	var hosts []topology.HostPart
	for _, h := range st.Hosts {
		if !h.Acknowledged && len(hosts) < 20 {
			hosts = append(hosts, h)
		}
	}
	st.Hosts = hosts
	return st
}

// explain says in one line what keeps an object from being realized.
func explain(key topology.Key, st topology.Status) string {
	text := fmt.Sprintf("%s is %s", key, st.Phase)
	if st.Reason != "" {
		text += ": " + st.Reason
	}
	var waiting []string
	for _, h := range st.Hosts {
		switch {
		case h.Error != "":
			waiting = append(waiting, h.Name+": "+h.Error)
		case !h.Acknowledged:
			waiting = append(waiting, h.Name+": has not acknowledged yet")
		}
	}
	if len(waiting) > 3 {
		waiting = append(waiting[:3], fmt.Sprintf("and %d more hosts", len(waiting)-3))
	}
	if waiting != nil {
		text += " (" + strings.Join(waiting, ", ") + ")"
	}
	return text
}
