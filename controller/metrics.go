package controller

import (
	"github.com/dovetail-sdn/dovetail/ofctrl"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count the controller's work.
type metrics struct {
	fragments     prometheus.Counter
	compileErrors prometheus.Counter
	icmpErrors    prometheus.Counter
	strays        prometheus.Counter
	exhausted     prometheus.Counter
	unstored      prometheus.Gauge
	drift         *prometheus.CounterVec
	repairs       prometheus.Counter
	hosts         *prometheus.GaugeVec
	endpoints     prometheus.Gauge
	flushSeconds  prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		fragments: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dovetail_fragments_compiled_total", Help: "Fragments compiled: one is all flows of one object in one role."}),
		compileErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dovetail_compile_errors_total", Help: "Fragments that had no wire form; any is a defect."}),
		icmpErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dovetail_icmp_errors_total", Help: "ICMP errors written for routers."}),
		strays: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dovetail_snat_strays_reset_total", Help: "TCP connections from outside that no gateway host knew, and that were reset."}),
		exhausted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dovetail_snat_exhausted_total", Help: "Packets dropped because no port was left to translate their source to, as far as switches told: they are metered."}),
		unstored: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "dovetail_neighbour_tables_unstored", Help: "External networks whose neighbours have changed and are not stored yet."}),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dovetail_drift_repaired_total", Help: "Flows, groups and meters that somebody else changed and that were put right."}, []string{"kind"}),
		repairs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "dovetail_ovsdb_repaired_total", Help: "OVSDB rows that somebody else changed and that were put right."}),
		hosts: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "dovetail_hosts_connected", Help: "Hosts with a session."}, []string{"session"}),
		endpoints: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "dovetail_endpoints_bound", Help: "Endpoints that are bound to a host."}),
		flushSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "dovetail_flush_seconds", Help: "Time from taking in a batch of changes to having it in the feeds.", Buckets: prometheus.ExponentialBuckets(1e-5, 4, 10)}),
	}
	for _, kind := range []ofctrl.DriftKind{ofctrl.DriftMissing, ofctrl.DriftForeign, ofctrl.DriftChanged} {
		m.drift.WithLabelValues(string(kind)) // 0 is a value too
	}
	if r != nil {
		r.MustRegister(m.fragments, m.compileErrors, m.icmpErrors, m.strays, m.exhausted, m.unstored, m.drift, m.repairs, m.hosts, m.endpoints, m.flushSeconds)
	}
	return m
}
