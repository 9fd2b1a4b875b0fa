// Bench measures Dovetail on real Open vSwitch, beside OVN, and with simulated hosts
// where there must be a thousand: `make bench`.
//
// It prints each figure as a line of a table, and, with -o, as a line of JSON. What
// is compared is measured in one run, in turns. It owns the labs that it makes and
// removes them. Nothing that it measures decides whether a test passes.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// measurement is one part of the benchmark, by the name that is asked for.
type measurement struct {
	name, what string
	run        func(context.Context, *report) error
}

func main() {
	out := flag.String("o", "", "also write the figures as lines of JSON to this file")
	hosts := flag.Int("hosts", 20, "hosts of the lab")
	samples := flag.Int("samples", 30, "samples of each latency")
	sizes := flag.String("sizes", "1,100,1000", "endpoints in the network when latencies are measured")
	bulk := flag.String("bulk", "1000", "endpoints that are declared at once")
	ovnLimit := flag.Duration("ovn-limit", 2*time.Minute, "when to give up waiting until OVN has taken in what is declared at once")
	repeats := flag.Int("repeats", 6, "repeats of each throughput")
	simulated := flag.Int("fleet", 1000, "simulated hosts, a multiple of 50")
	program := flag.String("dovetail", "bin/dovetail", "the program to measure")
	flag.Usage = usage
	flag.Parse()
	s := settings{hosts: *hosts, samples: *samples, sizes: numbers(*sizes), bulk: numbers(*bulk), repeats: *repeats, simulated: *simulated, program: *program, ovnLimit: *ovnLimit}
	if err := runAll(s.measurements(), flag.Args(), *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// isPartOf says whether the measurement is asked for by a name: "chain" is all of "chain.…".
func (m measurement) isPartOf(name string) bool {
	return name == "all" || name == m.name || strings.HasPrefix(m.name, name+".")
}

// measurements are all parts, in the order in which they run.
func (s settings) measurements() []measurement {
	return []measurement{
		{"flows", "100,000 flows into one switch, against ovs-ofctl", s.flows},
		{"ready", "an endpoint is created, until another host's ping is answered", s.ready},
		{"ovn-ready", "the same with OVN", s.ovnReady},
		{"bulk", "many endpoints are declared at once, until all hosts are complete", s.bulkDeclared},
		{"ovn-bulk", "the same with OVN", s.ovnBulk},
		{"count", "flows that an endpoint costs a host", s.count},
		{"ovn-count", "the same with OVN", s.ovnCount},
		{"dataplane", "TCP and small packets, against a plain bridge", s.dataplane},
		{"megaflows", "flows of the datapath for 50 × 50 workloads with many TCP ports", s.megaflows},
		{"gateway", "TCP and connections to the outside, against flows written by hand", s.gateway},
		{"chain.throughput", "TCP and pings through 1, 2 and 4 functions, against flows written by hand", s.chainThroughput},
		{"chain.change", "one chain of 10, 100 and 1,000 gets a function, and loses it, on 100 simulated hosts", s.chainChange},
		{"chain.evenness", "10,000 connections over instances of weights 1, 1 and 2", s.chainEvenness},
		{"failover", "a gateway's host dies or is cut off, and comes back, without a controller", s.failover},
		{"incremental", "one more endpoint in domains of 10, 1,000 and 100,000: fragments and bytes", s.incremental},
		{"scale", "1,000 simulated hosts: all at once, single changes, a restart of the controller", s.scale},
	}
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprint(out, "usage: bench [flags] PART…\n\nA part is all, one of these, or what the names of several begin with, as chain:\n")
	for _, m := range (settings{}).measurements() {
		fmt.Fprintf(out, "  %-17s %s\n", m.name, m.what)
	}
	fmt.Fprint(out, "\nFlags:\n")
	flag.PrintDefaults()
}

func runAll(all []measurement, want []string, out string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(want) == 0 {
		var names []string
		for _, m := range all {
			names = append(names, m.name)
		}
		return fmt.Errorf("say what to measure: all, or some of %s", strings.Join(names, ", "))
	}
	r := &report{}
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		r.json = json.NewEncoder(f)
	}
	for _, m := range all {
		if slices.ContainsFunc(want, m.isPartOf) {
			fmt.Printf("\n%s: %s\n", m.name, m.what)
			if err := m.run(ctx, r); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
	}
	return nil
}

// settings are the sizes of what is measured.
type settings struct {
	hosts, samples int
	simulated      int // hosts
	repeats        int // of a throughput
	sizes, bulk    []int
	program        string
	ovnLimit       time.Duration
}

func numbers(list string) []int {
	var n []int
	for _, s := range strings.Split(list, ",") {
		var v int
		if _, err := fmt.Sscan(s, &v); err == nil && v > 0 {
			n = append(n, v)
		}
	}
	return n
}

// report takes figures.
type report struct{ json *json.Encoder }

type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

func (r *report) figure(name string, value float64, unit string) {
	fmt.Printf("  %-44s %12.2f %s\n", name, value, unit)
	if r.json != nil {
		_ = r.json.Encode(figure{name, value, unit})
	}
}

// percentiles reports the middle and the slow end of latencies.
func (r *report) percentiles(name string, values []float64, unit string) {
	if len(values) == 0 {
		return
	}
	v := slices.Sorted(slices.Values(values))
	r.figure(name+".p50", v[len(v)/2], unit)
	r.figure(name+".p99", v[len(v)*99/100], unit)
	r.figure(name+".max", v[len(v)-1], unit)
}

// spread reports the median and the ends of what was measured several times.
func (r *report) spread(name string, values []float64, unit string) {
	if len(values) == 0 {
		return
	}
	v := slices.Sorted(slices.Values(values))
	r.figure(name+".min", v[0], unit)
	r.figure(name+".p50", v[len(v)/2], unit)
	r.figure(name+".p95", v[len(v)*95/100], unit)
	r.figure(name+".max", v[len(v)-1], unit)
}
