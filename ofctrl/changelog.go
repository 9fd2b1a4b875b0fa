package ofctrl

import "slices"

// Bounds of a feed's log. A follower that falls behind them is cut off, and
// compared by a dump instead.
const (
	maxLogEntries = 1 << 18
	minTrim       = 256
)

// changeLog holds the last changes of a feed, without a gap: what has sequence
// number s is changes[s-base-1]. Feed.mu guards it.
type changeLog struct {
	base    uint64
	changes []change
	entries int // in all changes
	trimAt  int // number of changes at which to look what can go
}

// append adds a change that subs have yet to see.
func (l *changeLog) append(c change, subs map[*subscription]struct{}) {
	if len(subs) == 0 {
		*l = changeLog{base: c.seq}
		return
	}
	l.changes = append(l.changes, c)
	l.entries += c.entries()
	if l.entries > maxLogEntries || len(l.changes) >= max(l.trimAt, minTrim) {
		l.trim(subs)
	}
	if l.entries > maxLogEntries {
		l.cut(l.half())
	}
}

// half is the number of the oldest changes that have half of the entries.
func (l *changeLog) half() int {
	n := 0
	for i := range l.changes {
		if n += l.changes[i].entries(); n >= l.entries/2 {
			return i + 1
		}
	}
	return len(l.changes)
}

// trim forgets what every follower has seen. To look at every follower is worth
// it only now and then, which trimAt sees to.
func (l *changeLog) trim(subs map[*subscription]struct{}) {
	low := l.base + uint64(len(l.changes))
	for sub := range subs {
		low = min(low, sub.pos)
	}
	if low > l.base {
		l.cut(int(low - l.base))
	}
	l.trimAt = 2 * len(l.changes)
}

// cut forgets the oldest n changes. The rest moves to a new array, because
// followers read the old one without a lock.
func (l *changeLog) cut(n int) {
	for i := range l.changes[:n] {
		l.entries -= l.changes[i].entries()
	}
	l.changes = slices.Clone(l.changes[n:])
	l.base += uint64(n)
}

// since returns the changes after seq; ok is false when they are forgotten.
func (l *changeLog) since(seq uint64) (changes []change, ok bool) {
	if seq < l.base {
		return nil, false
	}
	n := len(l.changes)
	return l.changes[min(seq-l.base, uint64(n)):n:n], true
}
