package ofctrl

import (
	"slices"
	"sync"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// Feed is a log of the entries of many owners. Its methods are safe for
// concurrent use.
//
// An entry's ID names one thing on a switch. Two owners, in one feed or in two
// that a switch follows together, must not have entries with the same ID, nor
// flows with the same table, priority and match: what one owner gives up the
// switch would lose for both, until the next audit. Within one batch of changes
// the owner that keeps or adds the entry wins.
type Feed struct {
	name string

	mu     sync.Mutex
	seq    uint64
	owners map[string]owned
	flows  int // of all owners
	log    changeLog
	subs   map[*subscription]struct{}
}

// owned is what an owner has. The entries are never changed in place, so that
// they can be read without the feed's lock.
type owned struct {
	entries []openflow.Entry
	seq     uint64 // of the owner's last change
}

// NewFeed makes an empty feed. The name appears in logs and errors.
func NewFeed(name string) *Feed {
	return &Feed{name: name, owners: make(map[string]owned), subs: make(map[*subscription]struct{})}
}

// Name is the name that the feed was made with.
func (f *Feed) Name() string { return f.name }

// Set makes entries the whole of what owner has in the feed (none removes the
// owner), and returns the feed's sequence number after that. Entries that owner
// had already (same ID and Sum) are not sent again. Switches that follow the feed
// hear of it without further calls.
func (f *Feed) Set(owner string, entries []openflow.Entry) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := difference(f.owners[owner].entries, entries)
	if c.entries() == 0 {
		return f.seq
	}
	f.seq++
	c.seq, c.owner = f.seq, owner
	if len(entries) == 0 {
		delete(f.owners, owner)
	} else {
		f.owners[owner] = owned{slices.Clone(entries), f.seq}
	}
	f.flows += c.flows()
	f.log.append(c, f.subs)
	for sub := range f.subs {
		sub.changed()
	}
	return f.seq
}

// Seq is the sequence number of the last change; 0 for a new feed.
func (f *Feed) Seq() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seq
}

// Entries are all entries of all owners, in no order.
func (f *Feed) Entries() []openflow.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []openflow.Entry
	for _, o := range f.owners {
		all = append(all, o.entries...)
	}
	return all
}

// change is what one Set did to one owner.
type change struct {
	seq   uint64
	owner string
	// adds are new to the owner; mods have an ID that it had, and another Sum.
	adds, mods []openflow.Entry
	dels       []openflow.ID
}

func (c *change) entries() int { return len(c.adds) + len(c.mods) + len(c.dels) }

// flows is how many flows more there are after the change.
func (c *change) flows() int {
	n := 0
	for i := range c.adds {
		if c.adds[i].ID.Kind == openflow.EntryFlow {
			n++
		}
	}
	for _, id := range c.dels {
		if id.Kind == openflow.EntryFlow {
			n--
		}
	}
	return n
}

// difference is the change from one set of entries to another.
func difference(from, to []openflow.Entry) change {
	var c change
	had := make(map[openflow.ID]uint64, len(from))
	for i := range from {
		had[from[i].ID] = from[i].Sum
	}
	keeps := make(map[openflow.ID]struct{}, len(to))
	for i := range to {
		e := &to[i]
		if _, twice := keeps[e.ID]; twice {
			continue
		}
		keeps[e.ID] = struct{}{}
		switch sum, ok := had[e.ID]; {
		case !ok:
			c.adds = append(c.adds, *e)
		case sum != e.Sum:
			c.mods = append(c.mods, *e)
		}
	}
	for i := range from {
		if _, ok := keeps[from[i].ID]; !ok {
			c.dels = append(c.dels, from[i].ID)
		}
	}
	return c
}
