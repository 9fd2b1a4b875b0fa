package ofctrl

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are a server's metrics over all switches.
type metrics struct {
	sessions prometheus.Gauge
	mods     [3]prometheus.Counter // by opKind
	sent     prometheus.Counter
	errors   prometheus.Counter
	refused  prometheus.Counter
	rejected prometheus.Counter
	compares *prometheus.CounterVec
	repairs  *prometheus.CounterVec
	drift    *prometheus.CounterVec
	dropped  prometheus.Counter
	barrier  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "dovetail_openflow_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "dovetail_openflow_" + name, Help: help}, []string{label})
	}
	m := &metrics{
		sessions: f.NewGauge(prometheus.GaugeOpts{Name: "dovetail_openflow_sessions", Help: "OpenFlow sessions with switches."}),
		sent:     counter("sent_bytes_total", "Bytes sent to switches."),
		errors:   counter("errors_total", "Error messages from switches."),
		refused:  counter("refused_entries_total", "Flows, groups and meters that a switch refused."),
		rejected: counter("rejected_connections_total", "Connections that were refused."),
		compares: vec("compares_total", "Comparisons of a switch with its plan, by cause.", "cause"),
		repairs:  vec("repairs_total", "Differences between a switch and its plan that a comparison found, by kind.", "kind"),
		drift:    vec("drift_total", "Those differences that somebody else made to a switch that was as planned, by kind.", "kind"),
		dropped:  counter("dropped_packet_ins_total", "Packets from switches that were dropped because they came too fast."),
		barrier: f.NewHistogram(prometheus.HistogramOpts{
			Name: "dovetail_openflow_barrier_seconds", Help: "Time from sending a batch of changes to the switch's confirmation.",
			Buckets: prometheus.ExponentialBuckets(1e-4, 3, 12),
		}),
	}
	mods := vec("flow_mods_total", "Flow, group and meter modifications sent, by kind.", "kind")
	for kind, name := range map[opKind]string{opAdd: "add", opModify: "modify", opDelete: "delete"} {
		m.mods[kind] = mods.WithLabelValues(name)
	}
	return m
}

// SwitchStats counts what was done to one switch since the server knows it.
type SwitchStats struct {
	Connected bool
	// FlowMods is the number of flow, group and meter modifications sent, of
	// which Deletes delete.
	FlowMods, Deletes uint64
	BytesSent         uint64
	// Compares is the number of finished comparisons with the plan, and Repairs
	// that of the differences found.
	Compares, Repairs uint64
	// Sessions is how often the switch connected.
	Sessions uint64
}

// switchCounters are the counters behind SwitchStats.
type switchCounters struct {
	flowMods, deletes, bytes, compares, repairs, sessions atomic.Uint64
}

func (c *switchCounters) stats() SwitchStats {
	return SwitchStats{
		FlowMods: c.flowMods.Load(), Deletes: c.deletes.Load(), BytesSent: c.bytes.Load(),
		Compares: c.compares.Load(), Repairs: c.repairs.Load(), Sessions: c.sessions.Load(),
	}
}
