package ofctrl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// BenchmarkProgram programs flows into a real switch, and the same flows with
// ovs-ofctl into another bridge of it, in turns. It reports both times.
func BenchmarkProgram(b *testing.B) {
	const n = 100_000
	r := serve(b, "127.0.0.1:0")
	h := bridge(b, r.addr)
	h.Vsctl("add-br", "br1", "--", "set", "bridge", "br1", "datapath_type=dummy", "fail_mode=secure")
	h.Vsctl("wait-until", "bridge", "br1", "datapath_id!=[]")
	full, none := NewFeed("full"), NewFeed("none")
	var text strings.Builder
	for i := range n {
		f := openflow.Flow{Table: 10, Priority: 100, Goto: 20, Match: openflow.Match{
			openflow.EthType.Uint(0x0800), openflow.Reg0.Uint(uint64(i % 100)), openflow.IPv4Dst.Uint(uint64(i)),
		}, Actions: []openflow.Action{openflow.Load{Value: uint64(i), Dst: openflow.Reg1, NBits: 32}}}
		source := fmt.Sprint(i)
		f.Cookie = uint64(i)
		full.Set(source, seal(b, source, f))
		fmt.Fprintf(&text, "cookie=%#x,table=10,priority=100,ip,reg0=%d,nw_dst=%d.%d.%d.%d,actions=load:%d->NXM_NX_REG1[],goto_table:20\n",
			i, i%100, i>>24, i>>16&255, i>>8&255, i&255, i)
	}
	file := filepath.Join(h.Dir, "flows")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	r.srv.SetPlan(dpid1, "h1", []*Feed{none})
	r.untilAcked(dpid1, none)
	b.ResetTimer()
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		r.srv.SetPlan(dpid1, "h1", []*Feed{none, full})
		r.untilAcked(dpid1, full)
		ours += time.Since(start)
		r.srv.SetPlan(dpid1, "h1", []*Feed{none})
		none.Set("mark", seal(b, fmt.Sprint(time.Now()), flow(1, 1, 0)))
		r.untilAcked(dpid1, none)
		start = time.Now()
		h.Ofctl("-O", "OpenFlow13", "--bundle", "add-flows", "br1", file)
		theirs += time.Since(start)
		h.Ofctl("-O", "OpenFlow13", "del-flows", "br1")
	}
	b.ReportMetric(n*float64(b.N)/ours.Seconds(), "flows/s")
	b.ReportMetric(n*float64(b.N)/theirs.Seconds(), "ovs-ofctl-flows/s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "of-ovs-ofctl")
}

// BenchmarkLatency is the time from a change to its acknowledgement by a real switch.
func BenchmarkLatency(b *testing.B) {
	r := serve(b, "127.0.0.1:0")
	bridge(b, r.addr)
	f := NewFeed("f")
	r.srv.SetPlan(dpid1, "h1", []*Feed{f})
	r.untilAcked(dpid1, f)
	acked := make(chan struct{}, 1)
	r.mu.Lock()
	r.onAck = func() {
		select {
		case acked <- struct{}{}:
		default:
		}
	}
	r.mu.Unlock()
	i := 0
	for b.Loop() {
		i++
		seq := f.Set("o", seal(b, "o", flow(10, i, 20)))
		for {
			if at, ok := r.srv.Acked(dpid1, f); ok && at >= seq {
				break
			}
			<-acked
		}
	}
}
