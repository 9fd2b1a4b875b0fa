package lab

import (
	"net/netip"
	"testing"
)

func TestManagerTarget(t *testing.T) {
	here := netip.MustParseAddr("100.96.0.1")
	for in, want := range map[string]string{
		"":                      "tcp:100.96.0.1:6640",
		":7000":                 "tcp:100.96.0.1:7000",
		"192.0.2.1":             "tcp:192.0.2.1:6640",
		"192.0.2.1:7000":        "tcp:192.0.2.1:7000",
		"tcp:192.0.2.1":         "tcp:192.0.2.1:6640",
		"ssl:192.0.2.1:7000":    "ssl:192.0.2.1:7000",
		"2001:db8::1":           "tcp:[2001:db8::1]:6640",
		"tcp:[2001:db8::1]:66":  "tcp:[2001:db8::1]:66",
		"ptcp:6640:127.0.0.1":   "ptcp:6640:127.0.0.1",
		"unix:/run/x.sock":      "unix:/run/x.sock",
		"foo":                   "error",
		"tcp:":                  "error",
		"tcp:host:6640":         "error",
		"192.0.2.1:0":           "error",
		"192.0.2.1:99999":       "error",
		"http://192.0.2.1:6640": "error",
	} {
		got, err := managerTarget(in, here)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
