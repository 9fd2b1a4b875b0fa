package ovsdb

import (
	"errors"
	"sync/atomic"
)

// serverBudgetBytes bounds what all sessions of a Server together may hold of
// hosts' bytes: messages being read, and copies of rows. A thousand hosts with
// a hundred ports each need about 100 MiB of it.
const serverBudgetBytes = 1 << 30

var errBudget = errors.New("all hosts together hold more data than the controller allows; try again later")

// budget is a number of bytes that sessions take from and give back to. A nil
// budget is without bounds. It is safe for concurrent use.
type budget struct{ left atomic.Int64 }

func newBudget(n int64) *budget {
	b := &budget{}
	b.left.Store(n)
	return b
}

func (b *budget) take(n int) bool {
	if b == nil || n <= 0 {
		return true
	}
	if b.left.Add(-int64(n)) < 0 {
		b.left.Add(int64(n))
		return false
	}
	return true
}

func (b *budget) give(n int) {
	if b != nil && n > 0 {
		b.left.Add(int64(n))
	}
}
