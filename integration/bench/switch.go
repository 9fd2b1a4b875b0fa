package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/integration/lab"
	"github.com/dovetail-sdn/dovetail/ofctrl"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/rs/zerolog"
)

const (
	manyFlows = 100_000
	flowRuns  = 5
	benchDPID = 0xbe7c
)

// flows programs one switch through a session, and with ovs-ofctl, in turns. The
// bridge is the same, and emptied before each.
func (s settings) flows(ctx context.Context, r *report) error {
	l, err := lab.Up(ctx, lab.Config{Name: labName, Hosts: 1, Manager: "ptcp:6640:127.0.0.1", Owner: os.Getpid()})
	if err != nil {
		return err
	}
	defer func() { _ = lab.Down(labName) }()
	h := l.Host("h1")
	ln, err := net.Listen("tcp", l.Controller.String()+":0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	acks := &acknowledged{moved: make(chan struct{}, 1)}
	srv := ofctrl.NewServer(ofctrl.Config{Handler: acks, Log: zerolog.Nop(), AuditInterval: time.Hour})
	go func() { done <- srv.Serve(ctx, ln) }()
	defer func() { cancel(); <-done }()

	feed, empty := ofctrl.NewFeed("bench"), ofctrl.NewFeed("empty")
	text, err := fill(feed)
	if err != nil {
		return err
	}
	file := filepath.Join(l.Folder("h1"), "flows.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	srv.SetPlan(benchDPID, "h1", []*ofctrl.Feed{empty})
	if _, err := h.Vsctl("add-br", "br-bench", "--", "set", "bridge", "br-bench", "datapath_type=netdev", "fail_mode=secure",
		fmt.Sprintf("other_config:datapath-id=%016x", benchDPID), "--", "set-controller", "br-bench", "tcp:"+ln.Addr().String()); err != nil {
		return err
	}
	var ours, theirs, ratio []float64
	for range flowRuns {
		a, err := timed(func() error {
			srv.SetPlan(benchDPID, "h1", []*ofctrl.Feed{empty, feed})
			return acks.wait(ctx, srv, feed)
		})
		if err != nil {
			return err
		}
		if err := emptied(srv, h, empty); err != nil {
			return err
		}
		// A bridge of its own, so that no session watches what ovs-ofctl does.
		if _, err := h.Vsctl("--may-exist", "add-br", "br-other", "--", "set", "bridge", "br-other", "datapath_type=netdev", "fail_mode=secure"); err != nil {
			return err
		}
		b, err := timed(func() error { _, err := h.Ofctl("--bundle", "add-flows", "br-other", file); return err })
		if err != nil {
			return err
		}
		if _, err := h.Ofctl("del-flows", "br-other"); err != nil {
			return err
		}
		ours, theirs, ratio = append(ours, a), append(theirs, b), append(ratio, a/b)
	}
	r.spread("flows.dovetail", ours, "s")
	r.spread("flows.ovs-ofctl-bundle", theirs, "s")
	r.spread("flows.ratio", ratio, "")
	r.figure("flows.dovetail.rate", manyFlows/slices.Sorted(slices.Values(ours))[flowRuns/2], "flows/s")
	return nil
}

func timed(f func() error) (seconds float64, err error) {
	began := time.Now()
	err = f()
	return time.Since(began).Seconds(), err
}

// emptied takes the feed from the switch's plan and waits until its flows are gone.
func emptied(srv *ofctrl.Server, h *lab.Host, empty *ofctrl.Feed) error {
	srv.SetPlan(benchDPID, "h1", []*ofctrl.Feed{empty})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if out, err := h.Ofctl("dump-aggregate", "br-bench"); err == nil && strings.Contains(out, "flow_count=0") {
			return nil
		}
	}
	return errors.New("the switch keeps its flows")
}

// fill puts flows like those of remote endpoints into the feed, and returns the same
// as text.
func fill(feed *ofctrl.Feed) (string, error) {
	var text strings.Builder
	for i := range manyFlows {
		mac := [6]byte{2, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)}
		f := openflow.Flow{
			Table: 60, Priority: 100, Match: openflow.Match{openflow.Reg0.Uint(uint64(4096 + i%100)), openflow.EthDst.MAC(mac)},
			Actions: []openflow.Action{
				openflow.SetField{FieldValue: openflow.TunID.Uint(uint64(4096 + i%100))},
				openflow.SetField{FieldValue: openflow.TunIPv4Dst.Addr(netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 50)}))},
				openflow.Output{Port: 1},
			},
		}
		source := fmt.Sprintf("Endpoint bench/e%d", i)
		entries, err := openflow.Seal(source, []openflow.Flow{f})
		if err != nil {
			return "", err
		}
		feed.Set(source, entries)
		f.Cookie = entries[0].ID.Cookie
		text.WriteString(f.String() + "\n")
	}
	return text.String(), nil
}

// acknowledged is the Handler of a session that is only measured.
type acknowledged struct{ moved chan struct{} }

func (a *acknowledged) Acked(uint64) {
	select {
	case a.moved <- struct{}{}:
	default:
	}
}

func (a *acknowledged) wait(ctx context.Context, srv *ofctrl.Server, feed *ofctrl.Feed) error {
	limit := time.After(time.Minute)
	for {
		if seq, ok := srv.Acked(benchDPID, feed); ok && seq >= feed.Seq() {
			return nil
		}
		select {
		case <-a.moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return errors.New("the switch does not acknowledge within a minute")
		}
	}
}

func (a *acknowledged) Connected(uint64, net.Addr)                  {}
func (a *acknowledged) Disconnected(uint64, error)                  {}
func (a *acknowledged) Refused(uint64, *ofctrl.Feed, string, error) {}
func (a *acknowledged) PacketIn(uint64, openflow.PacketIn)          {}
func (a *acknowledged) Drift(uint64, []ofctrl.Drift)                {}
func (a *acknowledged) Rejected(net.Addr, error)                    {}
