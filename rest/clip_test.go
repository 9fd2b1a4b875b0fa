package rest_test

import (
	"strings"
	"testing"
)

// TestAnswersToNonsenseAreShort: what is wrong with a request is told, not sent back.
func TestAnswersToNonsenseAreShort(t *testing.T) {
	a := newAPI(t, nil)
	long := strings.Repeat("x", 200_000)
	for name, body := range map[string]string{
		"name of a label": `{"metadata":{"labels":{"` + long + `":"v"}},"spec":{}}`,
		"value":           `{"spec":{"description":["` + long + `"]}}`,
		"unknown field":   `{"` + long + `":1}`,
		"number":          `{"spec":{"description":` + strings.Repeat("1", 200_000) + `}}`,
	} {
		if ans := a.do("PUT", "/v1/tenants/x", body); ans.status < 400 || len(ans.body) > 8000 {
			t.Errorf("%s: %d with %d bytes", name, ans.status, len(ans.body))
		}
	}
	if ans := a.do("DELETE", "/v1/tenants/a%2fnetworks%2fb", ""); ans.status != 404 || !strings.Contains(ans.body, "slash") {
		t.Errorf("an encoded slash: %d %s", ans.status, ans.body)
	}
}
