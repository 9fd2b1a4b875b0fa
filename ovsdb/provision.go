package ovsdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Corrections of one host's rows: a few at once, then few. Somebody who keeps
// changing them back must not make the controller and the host busy.
const (
	correctionBurst = 5
	correctionEvery = 10 * time.Second
	// buildPatience is how long a switch may take to build what its rows ask
	// for before that is called a problem.
	buildPatience = 10 * time.Second
	// nudgeAfter is how long a switch may take before it is asked to look at
	// its rows again, and nudgeMost is how often that is tried.
	nudgeAfter = 500 * time.Millisecond
	nudgeMost  = 3
	// errorPatience is how long an error that a nudge may solve is no problem.
	errorPatience = (nudgeMost + 1) * nudgeAfter
	// settlePatience is how long the rows of a transaction that was accepted
	// may take to show up.
	settlePatience = 2 * time.Second
)

// provisioner keeps one host's rows as they are wished, and tells the Handler. All
// methods but init are called by one goroutine.
type provisioner struct {
	ss      *session
	host    string
	limiter *rate.Limiter // of corrections
	// steps and identities bound the work that a host's own changes make here.
	steps, identities *rate.Limiter

	wish     wish
	accepted bool // HostSeen has answered

	// settled: the rows have been as wished, as far as settledProblems allow,
	// since the wish is what it is. What then differs was changed by others.
	settled         bool
	settledProblems []string
	// fresh: the controller has changed the links, and they have yet to be
	// provisioned. That is no fight with anybody.
	fresh        bool
	fighting     bool   // the limiter held a correction back, and it is not over
	fought       string // what it would have corrected
	ready        bool
	pendingSince time.Time // zero unless the switch is still to build something
	stuckSince   time.Time // when a nudge was first wanted; zero while all is well
	nudges       int       // since then
	refused      string    // why the last transaction failed
	ports        []Port
	portsTold    bool
	links        []LinkState
	linksTold    bool
	problem      string
}

func (p *provisioner) init(ss *session, host string) {
	p.ss, p.host = ss, host
	p.limiter = rate.NewLimiter(rate.Every(ss.srv.limits.correctionEvery), correctionBurst)
	p.steps = rate.NewLimiter(200, 200)
	p.identities = rate.NewLimiter(1, 10)
}

// view is what a step sees: all of it at one moment.
type view struct {
	info     HostInfo
	problems []string
	plan     plan
	sw       switchState
	nudge    plan
	ports    []Port
	links    []LinkState
	err      error
}

func (p *provisioner) look() view {
	p.ss.mu.Lock()
	defer p.ss.mu.Unlock()
	p.takeLinks()
	db := &p.ss.db
	var v view
	v.info, v.problems, v.err = hostInfo(db)
	v.info.Remote, v.info.Local = p.ss.remote, p.ss.local
	if v.err != nil {
		return v
	}
	v.plan = makePlan(db, p.wish)
	v.problems = append(v.problems, v.plan.problems...)
	v.problems = append(v.problems, patchProblems(db)...)
	if !v.plan.blocked && len(v.plan.ops) == 0 {
		v.sw = checkSwitch(db, p.wish, v.plan.numbers)
		v.nudge = nudgePlan(db)
		v.problems = append(v.problems, v.sw.problems...)
	}
	v.ports = portList(db)
	v.links = linkList(db, p.wish)
	return v
}

// takeLinks makes the links of the last SetLinks part of the wish. It needs the
// session's mu.
func (p *provisioner) takeLinks() {
	l := p.ss.newLinks
	p.ss.newLinks = nil
	if l != nil && !l.equal(p.wish.assign.Links) {
		p.wish.assign.Links = *l
		p.fresh = true
		p.newWish()
	}
}

// newWish forgets what was so because of the wish before.
func (p *provisioner) newWish() {
	p.settled = false
	p.nudges, p.stuckSince = 0, time.Time{}
}

// run works until ctx ends, the Handler refuses the host, or the host becomes
// another.
func (p *provisioner) run(ctx context.Context, info HostInfo) error {
	if err := p.seen(ctx, info); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := p.steps.Wait(ctx); err != nil {
			return err
		}
		again, err := p.step(ctx)
		if err != nil {
			return err
		}
		timer.Stop()
		var fire <-chan time.Time
		if again > 0 {
			timer.Reset(again)
			fire = timer.C
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ss.wake:
		case <-fire:
		}
	}
}

// seen asks the Handler what is wished of a host.
func (p *provisioner) seen(ctx context.Context, info HostInfo) error {
	if err := p.identities.Wait(ctx); err != nil {
		return err
	}
	// The answer is newer than what SetLinks said before, not than what it says
	// from now on.
	p.ss.mu.Lock()
	p.ss.newLinks = nil
	p.ss.mu.Unlock()
	assign, err := p.ss.srv.cfg.Handler.HostSeen(ctx, info)
	if err != nil {
		return fmt.Errorf("refused: %w", err)
	}
	p.accepted = true
	if assign.DatapathID == 0 || assign.Controller == "" {
		return errors.New("the assignment has no datapath id or no OpenFlow target")
	}
	assign.Links = assign.Links.clone()
	p.wish = wish{info: info, assign: assign}
	p.newWish()
	return nil
}

// step does what there is to do now, and returns when to look again even if
// nothing changes; 0 is never.
func (p *provisioner) step(ctx context.Context) (again time.Duration, err error) {
	v := p.look()
	if v.err == nil && v.info.SystemID != p.host {
		v.err = fmt.Errorf("%w to %q", errIdentityChanged, v.info.SystemID)
	}
	if v.err != nil {
		return 0, v.err
	}
	if !sameInfo(v.info, p.wish.info) {
		if err := p.seen(ctx, v.info); err != nil {
			return 0, err
		}
		v = p.look()
		if v.err != nil {
			return 0, v.err
		}
	}
	again, err = p.correct(ctx, &v)
	if err != nil {
		return 0, err
	}
	p.tellPorts(v.ports)
	if v.sw.pending != "" && p.pendingSince.IsZero() {
		p.pendingSince = time.Now()
	}
	if v.sw.nudge && p.stuckSince.IsZero() {
		p.stuckSince = time.Now()
	}
	again = earliest(again, p.nudge(ctx, v))
	again = earliest(again, p.tellState(v))
	p.tellLinks(v.links)
	return again, nil
}

// correct carries out the plan of v, if the limit allows, and looks again.
func (p *provisioner) correct(ctx context.Context, v *view) (again time.Duration, err error) {
	if len(v.plan.ops) == 0 {
		p.settle(v.plan)
		return p.calm(), nil
	}
	if !p.fresh && !p.limiter.Allow() {
		p.fighting = true
		p.fought = strings.Join(v.plan.changes, "; ")
		return p.untilToken(), nil
	}
	p.fresh = false
	err = p.transact(ctx, v.plan)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil {
		p.refused = err.Error()
		p.ss.log.Warn().Err(err).Strs("changes", v.plan.changes).Msg("provisioning failed")
		*v = p.look()
		return p.untilToken(), v.err
	}
	p.refused = ""
	changes := v.plan.changes
	repair := p.settled && slices.Equal(v.plan.problems, p.settledProblems)
	p.ss.log.Info().Strs("changes", changes).Bool("repair", repair).Msg("provisioned")
	if repair {
		for _, what := range changes {
			p.ss.srv.cfg.Handler.HostRepaired(p.host, what)
		}
	}
	if err := p.awaitRows(ctx, changes, v); err != nil {
		return 0, err
	}
	// Whatever came meanwhile is looked at in the next step.
	if len(v.plan.ops) > 0 {
		return time.Millisecond, nil
	}
	p.settle(v.plan)
	return p.calm(), nil
}

// settle notes that the rows are as wished.
func (p *provisioner) settle(empty plan) {
	p.refused, p.fresh = "", false
	p.settled = !empty.blocked
	p.settledProblems = empty.problems
}

// awaitRows waits until the update that belongs to a transaction has arrived,
// lest the same plan be carried out twice. Servers send it before the reply, but
// nothing promises that.
func (p *provisioner) awaitRows(ctx context.Context, changes []string, v *view) error {
	timeout := time.NewTimer(settlePatience)
	defer timeout.Stop()
	for {
		*v = p.look()
		if v.err != nil || !slices.Equal(v.plan.changes, changes) {
			return v.err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ss.wake:
		case <-timeout.C:
			return nil
		}
	}
}

func (p *provisioner) transact(ctx context.Context, pl plan) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.ss.srv.limits.transact,
		fmt.Errorf("no answer within %s", p.ss.srv.limits.transact))
	defer cancel()
	params := make([]any, 0, len(pl.ops)+1)
	params = append(params, database)
	for _, op := range pl.ops {
		params = append(params, op)
	}
	if f := p.ss.srv.onTransact; f != nil {
		f()
	}
	var refused error
	err := p.ss.peer.call(ctx, "transact", params, func(b json.RawMessage) error {
		var results []opResult
		if err := json.Unmarshal(b, &results); err != nil {
			return fmt.Errorf("reply to transact: %w", err)
		}
		refused = checkResults(results, pl.ops)
		return nil
	})
	if err != nil {
		return err
	}
	return refused
}

// untilToken is when the limiter allows the next correction.
func (p *provisioner) untilToken() time.Duration {
	r := p.limiter.Reserve()
	defer r.Cancel()
	return max(r.Delay(), 10*time.Millisecond)
}

// calm ends a fight once corrections have not been needed for some time.
func (p *provisioner) calm() (again time.Duration) {
	if !p.fighting {
		return 0
	}
	if p.limiter.Tokens() < correctionBurst-1 {
		return p.ss.srv.limits.correctionEvery
	}
	p.fighting = false
	return 0
}

// earliest of two times to wait, where 0 is never.
func earliest(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
