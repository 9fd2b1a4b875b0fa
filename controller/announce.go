package controller

import (
	"time"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
)

// This file tells the neighbours of a floating IP that it has moved. The first
// announcement may come before the flows; the later ones are for it and for what is lost.

var announceAfter = []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond, time.Second, 3 * time.Second}

// announcement is what is still to be said of a floating IP.
type announcement struct {
	began time.Time
	said  int
}

func (c *Controller) announceFloat(f *floating) { c.announcing[f] = &announcement{began: c.now()} }

// sendAnnouncements sends those that are due, and returns when the next one is; the
// zero time means never.
func (c *Controller) sendAnnouncements() (next time.Time) {
	now := c.now()
	for f, a := range c.announcing {
		if f.on == nil {
			delete(c.announcing, f)
			continue
		}
		if !a.began.Add(announceAfter[a.said]).After(now) {
			c.sayMoved(f)
			a.said++
		}
		if a.said == len(announceAfter) {
			delete(c.announcing, f)
			continue
		}
		if due := a.began.Add(announceAfter[a.said]); next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return next
}

func (c *Controller) sayMoved(f *floating) {
	frame := packet.Announcement(f.mac, f.spec.Allocated.Address)
	if f.here != nil {
		c.send(f.here.spec.Allocated.DatapathID, frame, number(f.gw.ext), openflow.Resubmit{Table: pipeline.TableWire})
		return
	}
	for i, l := range f.gw.spec.Allocated.Lanes {
		if l.MAC == f.mac {
			c.sendByLane(f.gw, i, frame)
		}
	}
}
