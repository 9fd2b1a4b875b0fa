package openflow

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestString(t *testing.T) {
	for _, s := range samples {
		if got := s.flow.String(); got != s.text {
			t.Errorf("got  %s\nwant %s", got, s.text)
		}
	}
}

// TestStringIsOVSSyntax has ovs-ofctl read the text of the samples and show what
// the switch then has.
func TestStringIsOVSSyntax(t *testing.T) {
	v := startOVS(t)
	v.addGroupAndMeter()
	var file strings.Builder
	for _, s := range samples {
		file.WriteString(s.text + "\n")
	}
	if err := os.WriteFile(v.path("flows"), []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	v.ofctl("add-flows", "br0", v.path("flows"))
	compareDump(t, v)
}

func (v *vswitch) addGroupAndMeter() {
	v.ofctl("add-group", "br0", "group_id=7,type=all,bucket=output:1")
	v.ofctl("add-meter", "br0", "meter=1,pktps,band=type=drop,rate=100")
}

func compareDump(t *testing.T, v *vswitch) {
	t.Helper()
	var want []string
	for _, s := range samples {
		want = append(want, s.flow.String())
	}
	v.compareTexts(want)
}

// compareTexts compares flows with what ovs-ofctl shows, in any order.
func (v *vswitch) compareTexts(want []string) {
	v.t.Helper()
	got := v.dumpFlows()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		v.t.Errorf("flows differ (-ours +ovs-ofctl's):\n%s", diff)
	}
}
