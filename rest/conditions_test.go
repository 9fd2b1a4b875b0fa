package rest_test

import "testing"

// TestConditionsAreNotOverlooked: a precondition that says nothing is a mistake, and
// of several each counts.
func TestConditionsAreNotOverlooked(t *testing.T) {
	a := newAPI(t, nil)
	a.must(201, "PUT", "/v1/tenants/x", `{"spec":{}}`)
	a.must(422, "PUT", "/v1/tenants/x", `{"spec":{}}`, "If-Match: ")
	a.must(422, "DELETE", "/v1/tenants/x", "", "If-Match: ")
	a.must(412, "PUT", "/v1/tenants/x", `{"spec":{}}`, `If-Match: "77.1"`)
	a.must(422, "POST", "/v1/apply", `{"kind":"Tenant","metadata":{"name":"y"},"spec":{}}`, `If-Match: "1.1"`)
	a.must(400, "POST", "/v1/apply", `{"kind":"Tenant","metadata":{"name":"y"},"spec":{"description":"a"},"spec":{}}`)
}
