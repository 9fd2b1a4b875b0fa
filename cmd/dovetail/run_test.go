package main

import (
	"net"
	"testing"
)

func TestLoopback(t *testing.T) {
	for ip, want := range map[string]bool{"127.0.0.1": true, "127.9.9.9": true, "::1": true, "::": false, "0.0.0.0": false, "192.0.2.1": false} {
		if loopback(&net.TCPAddr{IP: net.ParseIP(ip), Port: 8181}) != want {
			t.Errorf("%s is wrong", ip)
		}
	}
}
