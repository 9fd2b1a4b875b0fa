package integration

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// flow is one line of ovs-ofctl dump-flows.
type flow struct {
	cookie   string
	table    int
	duration time.Duration
	packets  int
	text     string // without statistics
}

var (
	statistics = regexp.MustCompile(`(duration|n_packets|n_bytes|idle_age|hard_age)=[^,]*, `)
	numbers    = regexp.MustCompile(`(duration|n_packets|table|cookie)=([0-9a-fx.]+)`)
)

// parseFlows reads what ovs-ofctl dump-flows prints.
func parseFlows(out string) []flow {
	var flows []flow
	for _, line := range strings.Split(out, "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "cookie=") {
			continue
		}
		f := flow{text: statistics.ReplaceAllString(line, "")}
		head, _, _ := strings.Cut(line, "actions=")
		for _, m := range numbers.FindAllStringSubmatch(head, -1) {
			switch m[1] {
			case "cookie":
				f.cookie = m[2]
			case "table":
				f.table, _ = strconv.Atoi(m[2])
			case "n_packets":
				f.packets, _ = strconv.Atoi(m[2])
			case "duration":
				s, _ := strconv.ParseFloat(m[2], 64)
				f.duration = time.Duration(s * float64(time.Second))
			}
		}
		flows = append(flows, f)
	}
	return flows
}

// compareFlows says how two dumps differ but for statistics.
func compareFlows(want, got []flow) error {
	texts := func(list []flow) []string {
		var s []string
		for _, f := range list {
			s = append(s, f.text)
		}
		slices.Sort(s)
		return s
	}
	w, g := texts(want), texts(got)
	if slices.Equal(w, g) {
		return nil
	}
	var errs []error
	for _, s := range w {
		if !slices.Contains(g, s) {
			errs = append(errs, fmt.Errorf("missing %s", s))
		}
	}
	for _, s := range g {
		if !slices.Contains(w, s) {
			errs = append(errs, fmt.Errorf("extra %s", s))
		}
	}
	if len(errs) > 6 {
		errs = append(errs[:6], fmt.Errorf("and %d more", len(errs)-6))
	}
	return errors.Join(append(errs, fmt.Errorf("%d flows, %d wanted", len(g), len(w)))...)
}

func sameFlows(t testing.TB, want, got []flow) {
	t.Helper()
	if err := compareFlows(want, got); err != nil {
		t.Errorf("the flows differ:\n%v", err)
	}
}

// oldest checks that no flow is younger than the time given: none was replaced.
func oldest(t testing.TB, flows []flow, age time.Duration) {
	t.Helper()
	for _, f := range flows {
		if f.duration < age-10*time.Millisecond {
			t.Errorf("a flow is only %s old after %s: it was replaced: %s", f.duration, age, f.text)
			return
		}
	}
}

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

func contains(s, sub string) bool { return strings.Contains(s, sub) }
