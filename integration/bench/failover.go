package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

const faults = 10 // of each kind

// failover measures how long nothing is answered when the gateway's active host dies or
// its underlay link is cut, ten times each, and when it comes back. The controller is
// stopped, but while a switch that was restarted gets its flows.
func (s settings) failover(ctx context.Context, r *report) error {
	s.hosts = 3
	e, err := s.edge(ctx, "h1", "h2")
	if err != nil {
		return err
	}
	defer e.close()
	f := &failovers{edge: e, gaps: map[string][]float64{}, lost: map[string][]float64{}}
	if f.nat, err = e.attach(ctx, "nat", "h3", netip.Addr{}); err != nil {
		return err
	}
	f.floating = netip.MustParseAddr("203.0.113.50")
	if _, err := e.attach(ctx, "floating", "h3", f.floating); err != nil {
		return err
	}
	h1 := e.lab.Host("h1")
	kinds := []struct {
		name       string
		fail, mend func() error
	}{
		{"killed", h1.KillSwitch, func() error { return errors.Join(h1.RestartSwitch(), e.start(ctx)) }},
		{"cut", func() error { return h1.CutUnderlay(true) }, func() error { return h1.CutUnderlay(false) }},
	}
	for _, k := range kinds {
		for range faults {
			if err := f.once(ctx, k.name, k.fail, k.mend); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
		}
	}
	for _, when := range []string{"quiet", "killed.out", "killed.back", "cut.out", "cut.back"} {
		for _, way := range []string{"nat", "floating"} {
			r.spread("failover."+when+"."+way, f.gaps[when+"."+way], "ms")
			r.spread("failover."+when+"."+way+".lost", f.lost[when+"."+way], "pings")
		}
	}
	return nil
}

// failovers is a world in which a gateway's host fails again and again.
type failovers struct {
	*edge
	nat      *lab.Workload
	floating netip.Addr
	gaps     map[string][]float64 // ms
	lost     map[string][]float64 // pings, every 5 ms
}

func (f *failovers) once(ctx context.Context, kind string, fail, mend func() error) error {
	if err := f.carried(ctx, "h1"); err != nil {
		return err
	}
	if err := f.sees(ctx, true); err != nil {
		return err
	}
	// A session that has just come up needs 3 s to notice a death.
	time.Sleep(3 * time.Second)
	f.kill()
	// What the machine itself does to pings.
	if err := f.during("quiet", func() error { time.Sleep(time.Second); return nil }); err != nil {
		return err
	}
	if err := f.during(kind+".out", func() error { return errors.Join(fail(), f.sees(ctx, false)) }); err != nil {
		return err
	}
	if err := f.during(kind+".back", func() error { return errors.Join(mend(), f.sees(ctx, true)) }); err != nil {
		return err
	}
	if f.cmd == nil {
		return f.start(ctx)
	}
	return nil
}

// during pings, both ways, until a second after something was done, and notes the
// longest time without an answer, and how many pings had none.
func (f *failovers) during(what string, do func() error) error {
	out, err := lab.NewPinger(f.nat, outsideServer, 5*time.Millisecond)
	if err != nil {
		return err
	}
	in, err := lab.NewPinger(f.server, f.floating, 5*time.Millisecond)
	if err != nil {
		out.Stop()
		return err
	}
	time.Sleep(500 * time.Millisecond)
	err = do()
	time.Sleep(time.Second)
	for name, p := range map[string]*lab.Pinger{"nat": out, "floating": in} {
		_, lost, longest := p.Stop()
		f.lost[what+"."+name] = append(f.lost[what+"."+name], float64(lost))
		f.gaps[what+"."+name] = append(f.gaps[what+"."+name], float64(longest.Microseconds())/1000)
	}
	return err
}

// sees waits until h3 and h2 say that h1 is alive, or dead.
func (f *failovers) sees(ctx context.Context, alive bool) error {
	to := `options:remote_ip="` + f.lab.Host("h1").VTEP().String() + `"`
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		agree := 0
		for _, h := range []string{"h2", "h3"} {
			got, err := f.lab.Host(h).Vsctl("--no-wait", "--bare", "--columns=bfd_status", "find", "Interface", "options:out_key=0", to)
			if err != nil {
				return err
			}
			if forwarding(got) == alive {
				agree++
			}
		}
		if agree == 2 {
			return nil
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("others do not say of h1 that it is alive: %t", alive))
		}
	}
}

// forwarding reads the column bfd_status.
func forwarding(status string) bool { return strings.Contains(status, "forwarding=true") }
