package ovsdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// Why JSON-RPC is done here and not by github.com/cenkalti/rpc2 and its jsonrpc
// codec, which libovsdb uses (v1.0.4, read and tried):
//   - the message {} makes its read loop dereference a nil id: one host's bytes
//     end the whole process;
//   - a notification that it has no handler for, and an error reply that is not
//     a string, both end the session, and OVSDB sends such errors;
//   - a call that was given up stays in its table until the peer answers;
//   - its decoder keeps a buffer as large as the largest message ever seen.

// maxEchoBytes bounds what is sent back to a host that asks for an echo.
const maxEchoBytes = 4 << 10

var (
	errSilent = errors.New("no answer to echo requests")
	errAnswer = errors.New("the host answers")
	errSlow   = errors.New("a message was begun and not finished in time")
)

// peerConfig is what a peer needs besides its connection.
type peerConfig struct {
	echoInterval   time.Duration // silence before a probe, and again before giving up
	messageTimeout time.Duration // from a message's first byte to its last
	writeTimeout   time.Duration // for one message
	maxBytes       int
	maxDepth       int
	budget         *budget
	// notify handles a notification. It runs on the read loop, in order; an
	// error ends the session.
	notify func(method string, params json.RawMessage) error
}

// peer is one JSON-RPC 1.0 connection (RFC 7047 section 4). Exactly one
// goroutine runs readLoop; the other methods are safe for concurrent use.
type peer struct {
	cfg  peerConfig
	conn net.Conn
	in   *framer

	writing sync.Mutex

	mu      sync.Mutex
	nextID  uint64
	pending map[uint64]*pendingCall
	closed  error
}

type pendingCall struct {
	// onReply runs on the read loop, before any later message is read.
	onReply func(result json.RawMessage) error
	done    chan error // one slot
}

// message is a request, a notification or a reply.
type message struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
	ID     json.RawMessage `json:"id"`
}

type request struct {
	Method string `json:"method"`
	Params any    `json:"params"`
	ID     any    `json:"id"`
}

type reply struct {
	Result any             `json:"result"`
	Error  any             `json:"error"`
	ID     json.RawMessage `json:"id"`
}

// echoID is the id of probes. Other requests have numbers.
const echoID = "echo"

func newPeer(conn net.Conn, cfg peerConfig) *peer {
	return &peer{
		cfg:     cfg,
		conn:    conn,
		in:      newFramer(conn, cfg.maxBytes, cfg.maxDepth, cfg.budget),
		pending: make(map[uint64]*pendingCall),
	}
}

// readLoop reads until the connection fails, the host says something that it
// must not, or it stays silent. It closes the connection and ends every call
// with the error that it returns.
func (p *peer) readLoop() error {
	err := p.read()
	_ = p.conn.Close()
	p.in.release()
	p.mu.Lock()
	p.closed = err
	calls := p.pending
	p.pending = nil
	p.mu.Unlock()
	for _, c := range calls {
		c.done <- err
	}
	return err
}

func (p *peer) read() error {
	for {
		b, err := p.nextMessage()
		if err != nil {
			return err
		}
		var m message
		if err := json.Unmarshal(b, &m); err != nil {
			return fmt.Errorf("%w: %w", errNotJSONRPC, err)
		}
		p.in.release()
		if err := p.handle(&m); err != nil {
			return err
		}
	}
}

// nextMessage waits for a whole message. A silent host is probed once per
// echoInterval. Silence is counted from the last whole message, so that single
// bytes do not keep a session alive.
func (p *peer) nextMessage() ([]byte, error) {
	probed := false
	deadline := time.Now().Add(p.cfg.echoInterval)
	inMessage := false
	for {
		if err := p.conn.SetReadDeadline(deadline); err != nil {
			return nil, err
		}
		b, err := p.in.nextStep()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		switch {
		case b != nil:
			return b, nil
		case p.in.partial() && !inMessage:
			inMessage = true
			deadline = time.Now().Add(p.cfg.messageTimeout)
		case err == nil:
			// More of the same message, or white space.
		case inMessage:
			return nil, errSlow
		case probed:
			return nil, errSilent
		default:
			probed = true
			deadline = time.Now().Add(p.cfg.echoInterval)
			if err := p.write(request{Method: "echo", Params: []any{}, ID: echoID}); err != nil {
				return nil, fmt.Errorf("probing: %w", err)
			}
		}
	}
}

func (p *peer) handle(m *message) error {
	switch {
	case m.Method == "":
		return p.handleReply(m)
	case isNull(m.ID):
		return p.cfg.notify(m.Method, m.Params)
	case m.Method == "echo":
		if len(m.Params) > maxEchoBytes || len(m.ID) > maxEchoBytes {
			return fmt.Errorf("echo request of more than %d bytes", maxEchoBytes)
		}
		if m.Params == nil {
			m.Params = json.RawMessage("[]")
		}
		return p.write(reply{Result: m.Params, ID: m.ID})
	default:
		if len(m.ID) > maxEchoBytes {
			return fmt.Errorf("request id of more than %d bytes", maxEchoBytes)
		}
		return p.write(reply{Error: "unknown method", ID: m.ID})
	}
}

func (p *peer) handleReply(m *message) error {
	var id uint64
	if json.Unmarshal(m.ID, &id) != nil {
		return nil // the answer to a probe, or to nothing that was asked
	}
	p.mu.Lock()
	c := p.pending[id]
	delete(p.pending, id)
	p.mu.Unlock()
	if c == nil {
		return nil // its caller has given up
	}
	if !isNull(m.Error) {
		c.done <- fmt.Errorf("%w: %s", errAnswer, shorten(string(m.Error), 512))
		return nil
	}
	var err error
	if c.onReply != nil {
		err = c.onReply(m.Result)
	}
	c.done <- err
	return err
}

// call sends a request and waits until its reply was given to onReply (which may
// be nil), ctx ends or the session ends.
func (p *peer) call(ctx context.Context, method string, params any, onReply func(json.RawMessage) error) error {
	c := &pendingCall{onReply: onReply, done: make(chan error, 1)}
	p.mu.Lock()
	if p.pending == nil {
		defer p.mu.Unlock()
		return p.closed
	}
	p.nextID++
	id := p.nextID
	p.pending[id] = c
	p.mu.Unlock()

	forget := func() {
		p.mu.Lock()
		delete(p.pending, id)
		p.mu.Unlock()
	}
	if err := p.write(request{Method: method, Params: params, ID: id}); err != nil {
		forget()
		return err
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		forget()
		return context.Cause(ctx)
	}
}

// write sends one message. A host that does not read ends the session after
// writeTimeout: after a write that failed half way nothing can follow.
func (p *peer) write(m any) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.conn.SetWriteDeadline(time.Now().Add(p.cfg.writeTimeout)); err != nil {
		return err
	}
	if _, err := p.conn.Write(b); err != nil {
		_ = p.conn.Close()
		return fmt.Errorf("writing to the host: %w", err)
	}
	return nil
}

func isNull(b json.RawMessage) bool { return len(b) == 0 || string(b) == "null" }

// shorten cuts s, which may come from a host, for logs and messages.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}
