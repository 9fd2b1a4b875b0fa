package ovsdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// tellPorts reports the ports once, and then when the list changes.
func (p *provisioner) tellPorts(ports []Port) {
	if p.portsTold && slices.Equal(ports, p.ports) {
		return
	}
	p.portsTold, p.ports = true, ports
	p.ss.srv.cfg.Handler.HostPorts(p.host, slices.Clone(ports))
}

// tellLinks reports the links once the host is ready, and then when they change.
func (p *provisioner) tellLinks(links []LinkState) {
	if !p.linksTold && !p.ready || p.linksTold && slices.Equal(links, p.links) {
		return
	}
	p.linksTold, p.links = true, links
	p.ss.srv.cfg.Handler.HostLinks(p.host, slices.Clone(links))
}

// tellState reports problems and readiness when they change.
func (p *provisioner) tellState(v view) (again time.Duration) {
	problems := v.problems
	if p.refused != "" {
		problems = append(problems, "the host's database refuses its rows: "+p.refused)
	}
	if p.fighting {
		problems = append(problems, fmt.Sprintf("somebody keeps changing rows of the controller (last: %s): look for another "+
			"controller or script on this host; its rows are now put right only every %s",
			p.fought, p.ss.srv.limits.correctionEvery))
	}
	if len(v.sw.errors) > 0 {
		if again = errorPatience - time.Since(p.stuckSince); again <= 0 {
			again, problems = 0, append(problems, v.sw.errors...)
		}
	}
	switch patience := p.ss.srv.limits.build; {
	case v.sw.pending == "":
		p.pendingSince = time.Time{}
	case time.Since(p.pendingSince) < patience:
		again = earliest(again, patience-time.Since(p.pendingSince))
	default:
		problems = append(problems, fmt.Sprintf(
			"the switch has not built %s within %s: check that ovs-vswitchd runs, and its log", v.sw.pending, patience))
	}
	if problem := shorten(strings.Join(problems, "; "), 4096); problem != p.problem {
		p.problem = problem
		p.ss.log.Warn().Str("problem", problem).Msg("host problem")
		p.ss.srv.cfg.Handler.HostProblem(p.host, problem)
	}
	ready := v.sw.ready && len(v.plan.ops) == 0
	if ready && !p.ready {
		p.ss.srv.cfg.Handler.HostReady(p.host)
	}
	p.ready = ready
	return again
}

// nudge asks a switch that has not got to the end to look again.
func (p *provisioner) nudge(ctx context.Context, v view) (again time.Duration) {
	if v.sw.pending == "" && !v.sw.nudge {
		p.nudges, p.stuckSince = 0, time.Time{}
	}
	if !v.sw.nudge || p.nudges >= nudgeMost {
		return 0
	}
	if wait := time.Duration(p.nudges+1)*nudgeAfter - time.Since(p.stuckSince); wait > 0 {
		return wait
	}
	p.nudges++
	if err := p.transact(ctx, v.nudge); err != nil {
		p.ss.log.Warn().Err(err).Msg("asking the switch to look again")
	}
	return nudgeAfter
}
