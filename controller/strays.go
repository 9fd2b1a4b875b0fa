package controller

import (
	"encoding/binary"
	"time"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
)

const (
	// strayPatience is how long the end inside has to take up a connection that the host
	// which translated it took with it. It sends again well before (RFC 6298, 2).
	strayPatience = time.Second
	// strayForgotten is when a connection that was not heard of again is forgotten.
	strayForgotten = time.Minute
	maxStrays      = 4096
)

// stray is a TCP connection from outside that no gateway host knows: addresses and ports
// as they are in the packet.
type stray [12]byte

// strayOf reads it from an IPv4 frame.
func strayOf(frame []byte) (s stray, ok bool) {
	if len(frame) < 34 {
		return s, false
	}
	tcp := 14 + 4*int(frame[14]&0xf)
	if len(frame) < tcp+4 {
		return s, false
	}
	copy(s[:8], frame[26:34])
	copy(s[8:], frame[tcp:tcp+4])
	return s, true
}

// strayArrived ends a connection that nobody knows, and that nobody has taken up since it
// was first heard of: the host that translated it is gone, and whose it was with it.
func (c *Controller) strayArrived(h *host, pkt openflow.PacketIn) {
	x := c.externalNumbered(binary.BigEndian.Uint32(narrow(pkt, pipeline.RegExternal)))
	s, ok := strayOf(pkt.Data)
	if x == nil || !ok {
		return
	}
	first, heard := c.strays[s]
	if !heard {
		if len(c.strays) >= maxStrays {
			clear(c.strays)
		}
		c.strays[s] = c.now()
		return
	}
	if c.now().Sub(first) < strayPatience {
		return
	}
	delete(c.strays, s)
	if frame, ok := packet.Reset(pkt.Data, [6]byte(pkt.Data[:6]), [6]byte(pkt.Data[6:12])); ok {
		c.send(h.spec.Allocated.DatapathID, frame, number(x), openflow.Resubmit{Table: pipeline.TableToOutside})
		c.metrics.strays.Inc()
	}
}

// forgetStrays forgets those that were not heard of again.
func (c *Controller) forgetStrays() {
	for s, first := range c.strays {
		if c.now().Sub(first) > strayForgotten {
			delete(c.strays, s)
		}
	}
}
