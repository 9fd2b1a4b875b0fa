package controller

import (
	"time"

	"github.com/dovetail-sdn/dovetail/internal/packet"
	"github.com/dovetail-sdn/dovetail/openflow"
	"github.com/dovetail-sdn/dovetail/pipeline"
)

// This file tells neighbours outside where our addresses are.

// announceAfter is when a floating IP that has moved is announced. The first announcement
// may come before the flows; the later ones are for it and for what is lost.
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

// laneEvery is how often lanes are announced where nothing has happened to them: a lane
// that only receives would be forgotten by the switches outside, which then flood, in
// 300 s by default (IEEE 802.1D, 7.9.2).
const laneEvery = time.Minute

// announceLanes announces each lane from where it is, once in a while.
func (c *Controller) announceLanes() {
	now := c.now()
	if now.Sub(c.lanesSaid) < laneEvery {
		return
	}
	c.lanesSaid = now
	for _, g := range c.model.gateways {
		for i, l := range g.spec.Allocated.Lanes {
			for _, a := range l.Addresses {
				c.sendByLane(g, i, packet.Announcement(l.MAC, a))
			}
		}
	}
}
