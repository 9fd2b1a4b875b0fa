package ovsdb

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Bounds on one JSON-RPC message. A host with ten thousand ports sends a first
// reply of about 10 MiB; the deepest value in it has nine levels.
const (
	maxMessageBytes = 16 << 20
	maxMessageDepth = 32
	// keepBufferBytes is the largest buffer that an idle session keeps.
	keepBufferBytes = 4 << 10
)

var (
	errMessageSize  = errors.New("message is larger than allowed")
	errMessageDepth = errors.New("message is nested deeper than allowed")
	errNotJSONRPC   = errors.New("bytes that are not a JSON-RPC message")
)

// framer cuts a stream of JSON objects into messages. It looks only at braces,
// brackets and strings; whether a message is valid JSON is for its decoder to
// say. Memory is bounded by the size limit, and the first byte that cannot start
// a message ends the stream.
//
// A framer can be called again after a timeout of the underlying reader: what it
// has read of an unfinished message stays.
type framer struct {
	r        *bufio.Reader
	maxBytes int
	maxDepth int
	budget   *budget

	buf     []byte
	charged int // bytes taken from the budget for buf
	depth   int
	inStr   bool
	escaped bool
	done    bool // buf holds a whole message that nextStep has returned
}

func newFramer(r io.Reader, maxBytes, maxDepth int, b *budget) *framer {
	return &framer{r: bufio.NewReaderSize(r, 2<<10), maxBytes: maxBytes, maxDepth: maxDepth, budget: b}
}

// partial says whether a message has begun and has not ended.
func (f *framer) partial() bool { return !f.done && len(f.buf) > 0 }

// nextStep reads once and returns the next message if that ends it, else nil.
// The message is valid until the following call or release.
func (f *framer) nextStep() ([]byte, error) {
	if f.done {
		f.release()
	}
	if _, err := f.r.Peek(1); err != nil {
		if err == io.EOF && f.partial() {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	chunk, _ := f.r.Peek(f.r.Buffered())
	n, err := f.take(chunk)
	if err != nil {
		return nil, err
	}
	_, _ = f.r.Discard(n)
	if f.done {
		return f.buf, nil
	}
	return nil, nil
}

// take consumes bytes of chunk up to the end of the message.
func (f *framer) take(chunk []byte) (int, error) {
	start := 0
	if len(f.buf) == 0 {
		for start < len(chunk) && isSpace(chunk[start]) {
			start++
		}
		if start == len(chunk) {
			return start, nil
		}
		if chunk[start] != '{' {
			return 0, fmt.Errorf("%w: it starts with %q", errNotJSONRPC, chunk[start])
		}
	}
	for i := start; i < len(chunk); i++ {
		if err := f.step(chunk[i]); err != nil {
			return 0, err
		}
		if f.depth == 0 {
			if err := f.add(chunk[start : i+1]); err != nil {
				return 0, err
			}
			f.done = true
			return i + 1, nil
		}
	}
	return len(chunk), f.add(chunk[start:])
}

// step follows strings and nesting over one byte.
func (f *framer) step(c byte) error {
	switch {
	case f.escaped:
		f.escaped = false
	case f.inStr:
		switch c {
		case '\\':
			f.escaped = true
		case '"':
			f.inStr = false
		}
	case c == '"':
		f.inStr = true
	case c == '{' || c == '[':
		f.depth++
		if f.depth > f.maxDepth {
			return fmt.Errorf("%w (%d levels)", errMessageDepth, f.maxDepth)
		}
	case c == '}' || c == ']':
		f.depth--
	}
	return nil
}

func (f *framer) add(b []byte) error {
	if len(f.buf)+len(b) > f.maxBytes {
		return fmt.Errorf("%w (%d bytes)", errMessageSize, f.maxBytes)
	}
	// What fits in the small buffer is part of every session; what exceeds it
	// is shared out, so that many large messages at once stay bounded too.
	if want := len(f.buf) + len(b); want > keepBufferBytes && want > f.charged {
		if !f.budget.take(want - f.charged) {
			return errBudget
		}
		f.charged = want
	}
	f.buf = append(f.buf, b...)
	return nil
}

// release forgets the current message and gives back what it took.
func (f *framer) release() {
	f.budget.give(f.charged)
	f.charged = 0
	f.done = false
	if cap(f.buf) > keepBufferBytes {
		f.buf = nil
	}
	f.buf = f.buf[:0]
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
