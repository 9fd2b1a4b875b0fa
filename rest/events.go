package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"

	"github.com/dovetail-sdn/dovetail/topology"
)

const eventsPath = "/v1/events"

type eventsInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was read: those after it come first, as far as they are kept"`
	After       string `query:"after" doc:"The same as Last-Event-ID, which goes before it"`
	Tenant      string `query:"tenant" maxLength:"253" doc:"Only events of this tenant and its objects"`
	Kind        string `query:"kind" enum:"Host,ExternalNetwork,Gateway,Tenant,Network,Router,Endpoint,ServiceFunction,Chain,FloatingIP,Service" doc:"Only events of objects of this kind"`
	Name        string `query:"name" maxLength:"253" doc:"Only events of objects of this name"`
}

func (in *eventsInput) after() (uint64, *Problem) {
	where, text := "header.Last-Event-ID", in.LastEventID
	if text == "" {
		where, text = "query.after", in.After
	}
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, invalid(FieldError{Message: "must be the id of an event", Location: where, Value: clip(text)})
	}
	return n, nil
}

func (in *eventsInput) wants(k topology.Key) bool {
	tenant := k.Tenant
	if k.Kind == topology.KindTenant {
		tenant = k.Name
	}
	return (in.Tenant == "" || in.Tenant == tenant) && (in.Kind == "" || in.Kind == string(k.Kind)) && (in.Name == "" || in.Name == k.Name)
}

func (s *server) registerEvents() {
	op := s.operation(http.MethodGet, eventsPath, "events", "Events",
		"What happens, as server-sent events. Each has the id to resume after, the type of the event as its name, and the event as JSON. "+
			"An event named lost says that the reader was too slow, or resumed too late, and how many events it has missed; restarted says that the controller was started anew, and that their number is unknown. "+
			"Comments come as signs of life.")
	op.Responses["200"].Content = map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}}
	huma.Register(s.api, op, func(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
		after, p := in.after()
		if p != nil {
			return nil, p
		}
		if s.streams.Add(1) > int64(s.cfg.MaxStreams) {
			s.streams.Add(-1)
			return nil, fromStatus(http.StatusTooManyRequests, fmt.Sprintf("%d event streams are open already", s.cfg.MaxStreams)).withHeader("Retry-After", "5")
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer s.streams.Add(-1)
			_, w := humamux.Unwrap(hc)
			s.stream(ctx, w, in, after)
		}}, nil
	})
}

// stream writes events until the client goes, is too slow, or the server stops.
func (s *server) stream(ctx context.Context, w http.ResponseWriter, in *eventsInput, after uint64) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := s.cfg.Realization.Events(ctx, after)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	out := &eventWriter{w: w, ctl: http.NewResponseController(w), timeout: s.cfg.WriteTimeout, last: after}
	if after < restartGap {
		out.last = 0 // no event has such an id: the reader wants all that is kept
	}
	beat := time.NewTicker(s.cfg.Heartbeat)
	defer beat.Stop()
	err := out.send(": connected\nretry: 2000\n\n")
	for err == nil {
		select {
		case ev, ok := <-events:
			if !ok {
				return
			}
			err = out.event(ev, in.wants(ev.Object))
		case <-beat.C:
			err = out.send(": alive\n\n")
		case <-ctx.Done():
			return
		case <-stopping(ctx).Done():
			return
		}
	}
}

// restartGap is a gap between sequence numbers that only a restart of the
// controller makes; how many events were missed is not known then.
const restartGap = 1 << 20

// eventWriter writes the form of the HTML standard, section 9.2.
type eventWriter struct {
	w       io.Writer
	ctl     *http.ResponseController
	timeout time.Duration
	last    uint64 // sequence number of the last event, 0 if unknown
}

func (o *eventWriter) send(text string) error {
	if err := o.ctl.SetWriteDeadline(time.Now().Add(o.timeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(o.w, text); err != nil {
		return err
	}
	return o.ctl.Flush()
}

func (o *eventWriter) event(ev topology.Event, wanted bool) error {
	if gap := ev.Sequence - o.last - 1; o.last > 0 && ev.Sequence > o.last+1 {
		data := fmt.Sprintf(`{"lost":%d}`, gap)
		if gap >= restartGap {
			data = `{"lost":0,"restarted":true}`
		}
		if err := o.send("event: lost\ndata: " + data + "\n\n"); err != nil {
			return err
		}
	}
	o.last = ev.Sequence
	if !wanted {
		return nil
	}
	b, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	return o.send(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", ev.Sequence, ev.Type, b))
}
