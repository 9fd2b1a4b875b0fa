package lab

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Flow is one line of "ovs-ofctl dump-flows" (ovs-ofctl(8)).
type Flow struct {
	Cookie   uint64
	Table    int
	Packets  uint64
	Bytes    uint64
	Duration time.Duration // since the flow was added
	// Text is the flow without its statistics: "priority=1,ip actions=drop".
	Text string
}

// Flows are the flows of a bridge with their statistics. args narrow them down, as
// "table=60".
func (h *Host) Flows(bridge string, args ...string) ([]Flow, error) {
	out, err := h.Ofctl(append([]string{"dump-flows", bridge}, args...)...)
	if err != nil {
		return nil, err
	}
	var flows []Flow
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "cookie=") {
			continue // the reply's header
		}
		f, err := parseFlow(line)
		if err != nil {
			return nil, fmt.Errorf("reading the flows of host %s: %w: %s", h.Name, err, line)
		}
		flows = append(flows, f)
	}
	return flows, nil
}

// parseFlow reads a line that ovs-ofctl printed. Fields of statistics end with ", ";
// those of the match with "," alone.
func parseFlow(line string) (f Flow, err error) {
	for err == nil {
		field, rest, more := strings.Cut(line, ", ")
		key, value, _ := strings.Cut(field, "=")
		if !more || strings.Contains(field, " ") || !f.set(key, value, &err) {
			break
		}
		line = rest
	}
	f.Text = line
	return f, err
}

// set takes a field of the statistics, and says whether it is one.
func (f *Flow) set(key, value string, err *error) bool {
	switch key {
	case "cookie":
		f.Cookie, *err = strconv.ParseUint(value, 0, 64)
	case "table":
		f.Table, *err = strconv.Atoi(value)
	case "n_packets":
		f.Packets, *err = strconv.ParseUint(value, 10, 64)
	case "n_bytes":
		f.Bytes, *err = strconv.ParseUint(value, 10, 64)
	case "duration":
		f.Duration, *err = time.ParseDuration(value)
	case "idle_age", "hard_age", "idle_timeout", "hard_timeout", "importance":
	default:
		return false
	}
	return true
}
