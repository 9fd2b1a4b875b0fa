package rest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sdn/dovetail/rest/resttest"
	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/dovetail-sdn/dovetail/topology/store"
)

// Whatever the objects, the size of pages and the filter: the pages together are
// the filtered list, in order, each object once.
func TestPagesAreTheList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := &resttest.Store{}
		s := &server{cfg: Config{Intent: st, Realization: &resttest.World{}}}
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c]{1,3}`), 0, 30, rapid.ID[string]).Draw(t, "names")
		var changes []store.Change
		for _, n := range names {
			tenant := &topology.Tenant{Metadata: topology.Metadata{Name: n, Labels: map[string]string{"first": n[:1]}}}
			net := &topology.Network{Metadata: topology.Metadata{Tenant: n, Name: "n" + n, Labels: tenant.Metadata.Labels}}
			changes = append(changes, store.Change{Key: tenant.Key(), Object: tenant}, store.Change{Key: net.Key(), Object: net})
		}
		if _, err := st.Apply(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
		in := listInput{
			Limit:         rapid.IntRange(1, 8).Draw(t, "limit"),
			LabelSelector: rapid.SampledFrom([]string{"", "first=a", "first!=a", "!first", "first"}).Draw(t, "selector"),
			NamePrefix:    rapid.SampledFrom([]string{"", "na", "nb"}).Draw(t, "prefix"),
		}
		var want, got []string
		for _, n := range names {
			keep := map[string]bool{"": true, "first=a": n[0] == 'a', "first!=a": n[0] != 'a', "!first": false, "first": true}[in.LabelSelector]
			if keep && strings.HasPrefix("n"+n, in.NamePrefix) {
				want = append(want, n)
			}
		}
		slices.Sort(want)
		for range 100 {
			page, err := list(s, networks, &in)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range page.Body.Items {
				got = append(got, n.Metadata.Tenant)
			}
			if in.Continue = page.Body.Continue; in.Continue == "" {
				break
			}
			if len(page.Body.Items) != in.Limit {
				t.Fatalf("a page of %d that is not the last", len(page.Body.Items))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("pages %v, want %v", got, want)
		}
	})
}

// What stands in parameters and headers never makes the process fail.
func FuzzParameters(f *testing.F) {
	for _, s := range []string{"", "a=b,c!=d,e,!f", "a==b", "!", ",", `"17.abc"`, `W/"17"`, "*", `"`, "YQBi", "5m1ns", "-1s", "9999999h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if sel, p := parseSelector(s); p == nil {
			sel.matches(map[string]string{"a": "b"})
		}
		if k, p := parseContinue(s); p == nil && s != "" {
			if again, p := parseContinue(formatContinue(k)); p != nil || again != k {
				t.Errorf("%q: %v became %v", s, k, again)
			}
		}
		if c, p := parsePrecondition(s, ""); p == nil {
			c.check(topology.Key{}, nil)
		}
		notModified(s, `"1.2"`)
		if d, p := (WaitQuery{Wait: "realized", Timeout: s}).duration(); p == nil && (d <= 0 || d > maxWait) {
			t.Errorf("%q waits %s", s, d)
		}
	})
}
