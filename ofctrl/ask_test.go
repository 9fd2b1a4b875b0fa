package ofctrl

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// ofSource selects the flows of a table that one source has.
func ofSource(table uint8, source string) openflow.FlowQuery {
	return openflow.FlowQuery{Table: table, Cookie: uint64(openflow.SourceID(source)) << 32, CookieMask: 0xffffffff << 32}
}

// fakeWith is a connected fake switch that has n flows of source "f/0" in tables 10 and 20.
func fakeWith(t *testing.T, n int) (*running, *fakeSwitch) {
	r := serve(t, "127.0.0.1:0")
	f := NewFeed("f")
	var flows []openflow.Flow
	for i := range n {
		flows = append(flows, flow(10, i, 20), flow(20, i, 0))
	}
	f.Set("f/0", seal(t, "f/0", flows...))
	f.Set("other", seal(t, "other", flow(10, n, 0)))
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	sw := newFakeSwitch(dpid1)
	t.Cleanup(sw.run(r.addr))
	r.untilAcked(dpid1, f)
	return r, sw
}

func (f *fakeSwitch) counted(packets uint64, mute bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.packets, f.mute = packets, mute
}

func TestAsksForFlows(t *testing.T) {
	r, sw := fakeWith(t, 100)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stats, err := r.srv.FlowStats(ctx, dpid1, ofSource(10, "f/0"))
	if err != nil || len(stats) != 0 {
		t.Errorf("%d flows, %v; none has counted a packet", len(stats), err)
	}
	sw.counted(7, false)
	var all sync.WaitGroup
	for range 3 * maxAsked { // more than are asked at the same time; the answers have several parts
		all.Go(func() {
			stats, err := r.srv.FlowStats(ctx, dpid1, ofSource(10, "f/0"))
			if err != nil || len(stats) != 100 {
				t.Errorf("%d flows, %v; want 100", len(stats), err)
			}
			seen := map[openflow.ID]bool{}
			for _, st := range stats {
				seen[st.ID] = true
				f, err := openflow.DecodeFlow(st.ID, st.Match, st.Instructions)
				if err != nil || st.Packets != 7 || st.Bytes != 700 || f.Table != 10 || f.Goto != 20 {
					t.Errorf("%v of %d packets, %v", f, st.Packets, err)
				}
			}
			if len(seen) != 100 {
				t.Errorf("%d different flows, want 100", len(seen))
			}
		})
	}
	all.Wait()
}

func TestAnswersAreBounded(t *testing.T) {
	r, sw := fakeWith(t, maxCounted+1)
	sw.counted(1, false)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if stats, err := r.srv.FlowStats(ctx, dpid1, ofSource(10, "f/0")); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%d flows, %v", len(stats), err)
	}
	if _, err := r.srv.FlowStats(ctx, dpid1, ofSource(10, "other")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestNoAnswerIsNotWaitedFor(t *testing.T) {
	r, sw := fakeWith(t, 1)
	sw.counted(1, true)
	var all sync.WaitGroup
	began := time.Now()
	for range 2 * maxAsked { // some have no place to wait at
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := r.srv.FlowStats(ctx, dpid1, ofSource(10, "f/0")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("no answer: %v", err)
			}
		})
	}
	all.Wait()
	if d := time.Since(began); d > patience/2 {
		t.Errorf("it took %v to give up after 50 ms", d)
	}
	ss := r.srv.session(dpid1)
	ss.asked.mu.Lock()
	open := len(ss.asked.open)
	ss.asked.mu.Unlock()
	if open+len(ss.asked.places) != 0 {
		t.Errorf("%d questions are open, and %d places taken, that nobody waits for", open, len(ss.asked.places))
	}

	// Who waits hears that the session has ended.
	gone := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := r.srv.FlowStats(ctx, dpid1, ofSource(10, "f/0"))
		gone <- err
	}()
	r.until(t, "a question", func() bool { return len(ss.asked.places) > 0 })
	ss.end(errors.New("cut by the test"))
	if err := <-gone; !errors.Is(err, ErrNotConnected) {
		t.Errorf("the session has ended: %v", err)
	}
	if _, err := r.srv.FlowStats(t.Context(), dpid1+1, ofSource(10, "f/0")); !errors.Is(err, ErrNotConnected) {
		t.Errorf("a switch that is not there: %v", err)
	}
}

func TestARefusedQuestionIsAnswered(t *testing.T) {
	k := newAsked()
	xid, a := k.begin()
	if k.onRefusal(&openflow.ErrorMsg{XID: 7}) {
		t.Error("an error about something else is taken for a refused question")
	}
	if !k.onRefusal(&openflow.ErrorMsg{XID: xid, Type: 1, Code: 2}) {
		t.Fatal("a refused question is not known")
	}
	<-a.done
	if a.err == nil || len(k.open) != 0 {
		t.Errorf("refused: %v, %d open", a.err, len(k.open))
	}
}

// A real switch answers with what went through its tables.
func TestAsksASwitchForFlows(t *testing.T) {
	r := serve(t, "127.0.0.1:0")
	f := NewFeed("f")
	f.Set("a", seal(t, "a", openflow.Flow{Table: 10, Goto: 20}, openflow.Flow{Table: 20, Priority: 5}))
	f.Set("b", seal(t, "b", openflow.Flow{Table: 20, Priority: 4}))
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	bridge(t, r.addr)
	r.untilAcked(dpid1, f)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	packet := make([]byte, 64)
	for range 3 {
		if err := r.srv.PacketOut(dpid1, openflow.PortController, []openflow.Action{openflow.Resubmit{Table: 10}}, packet); err != nil {
			t.Fatal(err)
		}
	}
	// The switch handles messages in order, but may credit a packet a little later.
	var stats []openflow.FlowStat
	r.until(t, "the packets to be counted", func() bool {
		var err error
		if stats, err = r.srv.FlowStats(ctx, dpid1, ofSource(20, "a")); err != nil {
			t.Fatal(err)
		}
		return len(stats) == 1 && stats[0].Packets == 3
	})
	if stats[0].Bytes != 192 || stats[0].ID.Priority != 5 || stats[0].ID.Table != 20 {
		t.Errorf("%+v", stats[0])
	}
	if stats, err := r.srv.FlowStats(ctx, dpid1, ofSource(20, "b")); err != nil || len(stats) != 0 {
		t.Errorf("%d flows of b, %v; no packet came to them", len(stats), err)
	}
}
