package ofctrl

import (
	"time"

	"github.com/dovetail-sdn/dovetail/openflow"
)

// opKind says what an op does.
type opKind uint8

// The kinds of op.
const (
	opAdd opKind = iota
	opModify
	opDelete
)

// op is one thing to do to a switch.
type op struct {
	kind  opKind
	id    openflow.ID
	sum   uint64
	add   []byte // Entry.Add, shared by all sessions; nil for opDelete
	feed  *Feed  // whose entry it is; nil for a foreign one
	owner string
}

func addOp(kind opKind, feed *Feed, owner string, e *openflow.Entry) op {
	return op{kind: kind, id: e.ID, sum: e.Sum, add: e.Add, feed: feed, owner: owner}
}

// message is o's message. It may be shared: it must be copied before its
// transaction id is set.
func (o *op) message() []byte {
	switch {
	case o.kind == opDelete:
		return openflow.Delete(o.id)
	case o.kind == opModify && o.id.Kind != openflow.EntryFlow:
		return openflow.Modify(openflow.Entry{ID: o.id, Sum: o.sum, Add: o.add})
	}
	return o.add
}

// size is about the length of o's message.
func (o *op) size() int { return max(len(o.add), 56) + 24 }

// The ranks of an op. Flows are added from the last table to the first, and removed
// the other way round: packets are let in when all that is behind them is there.
const (
	rankMeter       = iota
	rankGroup                        // added or changed
	rankFlow                         // + 255 - table
	rankGone        = rankFlow + 256 // a flow that is removed, + table
	rankGroupDelete = rankGone + 256
	rankMeterDelete = rankGroupDelete + 1
	ranks           = rankMeterDelete + 1
)

// rank orders ops: what is used comes before what uses it, and every add before
// every delete.
func (o *op) rank() int {
	switch {
	case o.id.Kind == openflow.EntryMeter && o.kind == opDelete:
		return rankMeterDelete
	case o.id.Kind == openflow.EntryMeter:
		return rankMeter
	case o.id.Kind == openflow.EntryGroup && o.kind == opDelete:
		return rankGroupDelete
	case o.id.Kind == openflow.EntryGroup:
		return rankGroup
	case o.kind == opDelete:
		return rankGone + int(o.id.Table)
	}
	return rankFlow + 255 - int(o.id.Table)
}

// inOrder sorts ops by rank, and else keeps their order.
func inOrder(ops []op) []op {
	var count [ranks + 1]int
	sorted := true
	for i := range ops {
		count[ops[i].rank()+1]++
		sorted = sorted && (i == 0 || ops[i-1].rank() <= ops[i].rank())
	}
	if sorted {
		return ops
	}
	for i := 1; i <= ranks; i++ {
		count[i] += count[i-1]
	}
	out := make([]op, len(ops))
	for i := range ops {
		r := ops[i].rank()
		out[count[r]] = ops[i]
		count[r]++
	}
	return out
}

// ack says that a switch is at a place of a feed.
type ack struct {
	sub *subscription
	seq uint64
}

// job is ops to be sent in order, and what their success means.
type job struct {
	ops  []op
	acks []ack
	// atomic wants a bundle even for a few ops; plain wants none.
	atomic, plain bool
	// replays is the batch that the job stands in for.
	replays *batch
	// compared says that the switch is equal to its plan when the job is done.
	compared bool
}

// batch is a part of a job that is followed by a barrier. It lives until the
// switch has answered the barrier of it and of all batches before it.
type batch struct {
	job   job // with the ops of this batch; acks and compared for a job's last
	first uint32
	// bundle is the bundle's id, 0 for plain messages. With it the ops are
	// first…, and the open and the commit message first+n and first+n+1.
	bundle  uint32
	barrier uint32 // transaction id
	sent    time.Time

	done    bool // the barrier was answered
	waiting bool // for its replay
	// failed says that the bundle was refused as a whole, opErrors which of its
	// messages were.
	failed   bool
	opErrors map[int]bool
}

// xids is how many transaction ids a batch of n ops needs: open, commit and
// barrier besides.
func xids(n int) uint32 { return uint32(n) + 3 }

func (b *batch) has(xid uint32) bool { return xid-b.first < xids(len(b.job.ops)) }

// opAt returns the index of the op with a transaction id.
func (b *batch) opAt(xid uint32) (i int, ok bool) {
	i = int(xid - b.first)
	return i, i < len(b.job.ops)
}

// Bounds of a batch.
const (
	// maxBatch ops take a switch some tens of milliseconds, in which it does
	// nothing else.
	maxBatch      = 4000
	maxBatchBytes = 4 << 20
	// maxPlain ops are sent without a bundle, which would cost more than it saves.
	maxPlain = 32
	// window is the number of batches that are not acknowledged.
	window = 16
)

// split takes the first part of the job, up to the bounds of a batch. Open
// vSwitch takes no meters in bundles, so these are a part of their own.
func (j *job) split() job {
	n, size := 0, 0
	for n < len(j.ops) && n < maxBatch && size < maxBatchBytes && j.ops[n].isMeter() == j.ops[0].isMeter() {
		size += j.ops[n].size()
		n++
	}
	part := *j
	part.ops = j.ops[:n:n]
	part.plain = j.plain || n > 0 && j.ops[0].isMeter()
	j.ops = j.ops[n:]
	if len(j.ops) > 0 {
		part.acks, part.compared = nil, false
	}
	return part
}

func (o *op) isMeter() bool { return o.id.Kind == openflow.EntryMeter }
