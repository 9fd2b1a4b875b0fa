package bgp

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"golang.org/x/time/rate"
)

const (
	headerLength = 19
	maxMessage   = 4096

	// A peer's whole table of a million routes takes some 15 seconds. A short
	// message costs as much as minCost bytes.
	bytesPerSecond = 4 << 20
	minCost        = 256
)

// reader reads messages of RFC 4271 section 4 one after the other into one buffer.
type reader struct {
	r    *bufio.Reader
	rate *rate.Limiter
	body [maxMessage - headerLength]byte
}

func newReader(r io.Reader) *reader {
	return &reader{r: bufio.NewReaderSize(r, maxMessage), rate: rate.NewLimiter(bytesPerSecond, 64*maxMessage)}
}

// peerNotification is why the peer has ended the session.
type peerNotification struct{ code, subcode uint8 }

func (n *peerNotification) Error() string {
	return fmt.Sprintf("the peer says: %s", bgp.NewNotificationErrorCode(n.code, n.subcode))
}

// header reads a message's type and the length of its body.
func (r *reader) header(ctx context.Context) (kind uint8, length int, err error) {
	var h [headerLength]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		return 0, 0, err
	}
	for _, b := range h[:16] {
		if b != 0xff {
			return 0, 0, wrong(bgp.BGP_ERROR_SUB_CONNECTION_NOT_SYNCHRONIZED, nil, "a message has no marker")
		}
	}
	size, kind := int(binary.BigEndian.Uint16(h[16:])), h[18]
	if kind < bgp.BGP_MSG_OPEN || kind > bgp.BGP_MSG_ROUTE_REFRESH {
		return 0, 0, wrong(bgp.BGP_ERROR_SUB_BAD_MESSAGE_TYPE, h[18:], fmt.Sprintf("a message of type %d", kind))
	}
	if size < headerLength || size > maxMessage || (kind == bgp.BGP_MSG_KEEPALIVE && size != headerLength) {
		return 0, 0, wrong(bgp.BGP_ERROR_SUB_BAD_MESSAGE_LENGTH, h[16:18], fmt.Sprintf("a message of type %d with %d bytes", kind, size))
	}
	return kind, size - headerLength, r.rate.WaitN(ctx, max(size, minCost))
}

func wrong(subcode uint8, data []byte, text string) error {
	return bgp.NewMessageError(bgp.BGP_ERROR_MESSAGE_HEADER_ERROR, subcode, data, text)
}

// expect reads a message of one type; its body is valid until the next.
func (r *reader) expect(ctx context.Context, want uint8) ([]byte, error) {
	kind, length, err := r.header(ctx)
	if err != nil {
		return nil, err
	}
	body := r.body[:length]
	if _, err := io.ReadFull(r.r, body); err != nil {
		return nil, err
	}
	switch kind {
	case want:
		return body, nil
	case bgp.BGP_MSG_NOTIFICATION:
		return nil, notificationOf(body)
	}
	return nil, unexpected(kind)
}

// skim reads until the connection or ctx ends or the peer says something wrong, and
// returns why. Before each message it calls deadline. It calls refresh when the peer
// wants all routes again. UPDATEs are skipped.
func (r *reader) skim(ctx context.Context, deadline func() error, refresh func()) error {
	for ctx.Err() == nil {
		if err := deadline(); err != nil {
			return err
		}
		kind, length, err := r.header(ctx)
		if err != nil {
			return err
		}
		switch kind {
		case bgp.BGP_MSG_OPEN:
			return unexpected(kind)
		case bgp.BGP_MSG_NOTIFICATION:
			body := r.body[:length]
			if _, err := io.ReadFull(r.r, body); err != nil {
				return err
			}
			return notificationOf(body)
		case bgp.BGP_MSG_ROUTE_REFRESH:
			refresh()
		}
		if _, err := r.r.Discard(length); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func notificationOf(body []byte) error {
	if len(body) < 2 {
		return wrong(bgp.BGP_ERROR_SUB_BAD_MESSAGE_LENGTH, nil, "a notification without a code")
	}
	return &peerNotification{code: body[0], subcode: body[1]}
}

func unexpected(kind uint8) error {
	return bgp.NewMessageError(bgp.BGP_ERROR_FSM_ERROR, 0, nil, fmt.Sprintf("a message of type %d out of turn", kind))
}
