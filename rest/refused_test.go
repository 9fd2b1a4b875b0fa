package rest_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestDNSRebinding: a page whose name resolves to 127.0.0.1 cannot use the API.
func TestDNSRebinding(t *testing.T) {
	a := newAPI(t, nil)
	for host, want := range map[string]int{
		"localhost:8181": 200, "127.0.0.1": 200, "[::1]:8181": 200, "api.localhost": 200,
		"evil.example": 421, "evil.example:8181": 421, "127.0.0.1.evil.example": 421,
	} {
		req, err := http.NewRequest("GET", a.url+"/v1/tenants", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("Host %s: %d, want %d", host, res.StatusCode, want)
		}
	}
}

// TestRefusedRequestsAreNotWaitedFor: a request that is refused by its headers gets
// its answer, and loses its connection, before its body is there.
func TestRefusedRequestsAreNotWaitedFor(t *testing.T) {
	a := newAPI(t, nil)
	for _, header := range []string{"Host: evil.example", "Host: localhost\r\nOrigin: http://evil.example"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write([]byte("PUT /v1/tenants/x HTTP/1.1\r\n" + header + "\r\nContent-Length: 100\r\n\r\n{")); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		if n, err := c.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "HTTP/1.1 4") {
			t.Errorf("%s: %q, %v", header, b[:n], err)
		}
	}
}
