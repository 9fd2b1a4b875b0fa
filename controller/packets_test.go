package controller

import "testing"

// Only what may begin a connection says that there is no port left.
func TestWhatBeginsAConnection(t *testing.T) {
	packet := func(protocol byte, l4 ...byte) []byte {
		b := make([]byte, 34, 60)
		b[14], b[23] = 0x45, protocol
		return append(b, l4...)
	}
	tcp := func(flags byte) []byte { return packet(6, append(make([]byte, 13), flags)...) }
	for name, c := range map[string]struct {
		frame []byte
		want  bool
	}{
		"SYN": {tcp(0x02), true}, "SYN and ACK": {tcp(0x12), false}, "ACK": {tcp(0x10), false}, "cut TCP": {packet(6), false},
		"UDP": {packet(17), true}, "GRE": {packet(47), false}, "echo request": {packet(1, 8), true}, "unreachable": {packet(1, 3), false}, "cut": {make([]byte, 20), false},
	} {
		if got := begins(c.frame); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
