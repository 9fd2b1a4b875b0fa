package ofctrl

import "github.com/dovetail-sdn/dovetail/openflow"

// subscription is a session's cursor on a feed.
type subscription struct {
	feed *Feed
	// notify is called when there are changes after pos, once until next is
	// called. It holds Feed.mu, and must not block.
	notify func(*subscription)

	// Feed.mu guards the rest.
	pos   uint64 // what has been taken
	dirty bool
}

// holding is what an owner has in a feed.
type holding struct {
	owner string
	owned
}

// changed says that there is something after pos.
func (sub *subscription) changed() {
	if !sub.dirty {
		sub.dirty = true
		sub.notify(sub)
	}
}

// follow begins to follow the feed with what it holds now.
func follow(f *Feed, notify func(*subscription)) (*subscription, []holding) {
	sub := &subscription{feed: f, notify: notify}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.subs) == 0 {
		f.log = changeLog{base: f.seq}
	}
	f.subs[sub] = struct{}{}
	sub.pos = f.seq
	return sub, f.holdings()
}

// next takes the changes after pos, and moves pos behind them. ok is false when
// they are forgotten; pos stays.
func (sub *subscription) next() (changes []change, pos uint64, ok bool) {
	f := sub.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	sub.dirty = false
	changes, ok = f.log.since(sub.pos)
	if !ok {
		return nil, sub.pos, false
	}
	wasLast := sub.pos == f.log.base
	sub.pos = f.seq
	// The last one out of a burst frees its memory.
	if wasLast && len(f.log.changes) >= minTrim {
		f.log.trim(f.subs)
	}
	return changes, sub.pos, true
}

// restart moves pos to the end, and returns what the feed holds there.
func (sub *subscription) restart() (all []holding, pos uint64) {
	f := sub.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	sub.dirty = false
	sub.pos = f.seq
	return f.holdings(), f.seq
}

// peek returns what the feed holds, and the changes after pos that are in it
// already.
func (sub *subscription) peek() (all []holding, changes []change, ok bool) {
	f := sub.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	changes, ok = f.log.since(sub.pos)
	return f.holdings(), changes, ok
}

// leave ends the subscription.
func (sub *subscription) leave() {
	f := sub.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.subs, sub)
	if len(f.subs) == 0 {
		f.log = changeLog{base: f.seq}
	}
}

// holdings needs Feed.mu.
func (f *Feed) holdings() []holding {
	all := make([]holding, 0, len(f.owners))
	for owner, o := range f.owners {
		all = append(all, holding{owner, o})
	}
	return all
}

// had is every ID that the feed may have had at pos.
func had(all []holding, changes []change) map[openflow.ID]struct{} {
	ids := make(map[openflow.ID]struct{})
	for _, h := range all {
		for i := range h.entries {
			ids[h.entries[i].ID] = struct{}{}
		}
	}
	touched(ids, changes)
	return ids
}

// touched adds every ID that the changes concern.
func touched(ids map[openflow.ID]struct{}, changes []change) {
	for i := range changes {
		c := &changes[i]
		for _, list := range [][]openflow.Entry{c.adds, c.mods} {
			for i := range list {
				ids[list[i].ID] = struct{}{}
			}
		}
		for _, id := range c.dels {
			ids[id] = struct{}{}
		}
	}
}
