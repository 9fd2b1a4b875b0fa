package openflow

import (
	"encoding/binary"
	"fmt"
	"io"
)

// headerLen is the length of the header of every message.
const headerLen = 8

// version13 is OpenFlow 1.3 on the wire.
const version13 = 4

// Reader frames messages. It is not safe for concurrent use.
type Reader struct {
	r io.Reader
	// buf[start:end] is what has been read and not returned. It starts small,
	// because most sessions are quiet, and grows up to one message.
	buf        []byte
	start, end int
}

// smallBuffer is enough for all but dumps. A reader goes back to it after them:
// there may be thousands.
const smallBuffer = 4096

// NewReader reads from r, which it buffers.
func NewReader(r io.Reader) *Reader { return &Reader{r: r, buf: make([]byte, smallBuffer)} }

// Next returns the next message, whatever its version. Its body is only valid
// until the next call. A length below 8 is an error, after which the stream is
// lost. The end of the stream between messages is io.EOF, within one
// io.ErrUnexpectedEOF.
func (r *Reader) Next() (Message, error) {
	if err := r.fill(headerLen); err != nil {
		return Message{}, err
	}
	length := int(binary.BigEndian.Uint16(r.buf[r.start+2:]))
	if length < headerLen {
		return Message{}, fmt.Errorf("read OpenFlow message: length %d is shorter than a header", length)
	}
	if err := r.fill(length); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Message{}, err
	}
	b := r.buf[r.start : r.start+length : r.start+length]
	r.start += length
	m := header(b)
	m.Body = b[headerLen:]
	return m, nil
}

// header reads the header of a message of at least eight bytes.
func header(b []byte) Message {
	return Message{Version: b[0], Type: Type(b[1]), XID: binary.BigEndian.Uint32(b[4:])}
}

// Buffered is the number of bytes that have been read ahead: 0 means that the
// next call of Next waits for the peer.
func (r *Reader) Buffered() int { return r.end - r.start }

// fill reads until n bytes are there.
func (r *Reader) fill(n int) error {
	if r.end-r.start >= n {
		return nil
	}
	r.makeRoom(n)
	had := r.end - r.start
	read, err := io.ReadAtLeast(r.r, r.buf[r.end:], n-had)
	r.end += read
	if err == io.EOF && had > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// makeRoom makes the buffer hold n bytes from start on.
func (r *Reader) makeRoom(n int) {
	if r.start == r.end {
		if len(r.buf) > smallBuffer && r.end < smallBuffer && n < smallBuffer {
			r.buf = make([]byte, smallBuffer) // what was last read was small
		}
		r.start, r.end = 0, 0
	}
	if r.start+n <= len(r.buf) {
		return
	}
	to := r.buf
	if n > len(to) {
		to = make([]byte, min(max(n, 2*len(to)), MaxMessage+1))
	}
	r.end = copy(to, r.buf[r.start:r.end])
	r.buf, r.start = to, 0
}

// SetXID writes a transaction id into an encoded message, for a bundle-add
// message into the inner one too (they must be the same). It does nothing to
// what is shorter than a header.
func SetXID(msg []byte, xid uint32) {
	if len(msg) < headerLen {
		return
	}
	binary.BigEndian.PutUint32(msg[4:], xid)
	if len(msg) >= bundleAddHead+headerLen && Type(msg[1]) == TypeExperimenter &&
		binary.BigEndian.Uint32(msg[8:]) == onfExperimenter && binary.BigEndian.Uint32(msg[12:]) == onfBundleAdd {
		binary.BigEndian.PutUint32(msg[bundleAddHead+4:], xid)
	}
}

// ParseMessage is the message in b, which must be exactly one, as built by this
// package or read from elsewhere.
func ParseMessage(b []byte) (Message, error) {
	if len(b) < headerLen || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return Message{}, fmt.Errorf("parse OpenFlow message: %d bytes are not one message", len(b))
	}
	m := header(b)
	m.Body = b[headerLen:]
	return m, nil
}
