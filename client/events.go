package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/topology"
)

// EventOptions narrow a stream of events; the zero value is all from now on.
type EventOptions struct {
	After  uint64 // > 0: first those that are kept with a higher sequence number
	Tenant string
	Kind   topology.Kind
	Name   string
	// Lost, if set, is told how many events were missed; 0 means that the
	// controller was restarted, and that it is not known how many.
	Lost func(n uint64)
	// Connected, if set, is called when the stream begins, and each time that it
	// begins again.
	Connected func()
}

// Events calls fn with each event until ctx ends, fn returns an error, or the API
// refuses. When the connection breaks it connects again, and goes on after the last
// event. It does not return nil.
func (c *Client) Events(ctx context.Context, o EventOptions, fn func(topology.Event) error) error {
	connected := false
	for {
		progress, err := c.follow(ctx, &o, fn)
		connected = connected || progress
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, refused := AsProblem(err); refused || !connected {
			return err
		}
		if err, ok := err.(callbackError); ok {
			return err.error
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// callbackError marks an error that fn returned.
type callbackError struct{ error }

// follow reads one connection. It moves o.After forward.
func (c *Client) follow(ctx context.Context, o *EventOptions, fn func(topology.Event) error) (connected bool, err error) {
	q := url.Values{}
	for name, value := range map[string]string{"tenant": o.Tenant, "kind": string(o.Kind), "name": o.Name} {
		if value != "" {
			q.Set(name, value)
		}
	}
	r := Request{Method: http.MethodGet, Path: "/v1/events", Query: q, Header: http.Header{}}
	if o.After > 0 {
		r.Header.Set("Last-Event-ID", strconv.FormatUint(o.After, 10))
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if o.Connected != nil {
		o.Connected()
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	var name, data string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "" && data != "":
			if err := dispatch(name, data, o, fn); err != nil {
				return true, err
			}
			name, data = "", ""
		case field == "event":
			name = value
		case field == "data":
			data = value // the API writes one line
		}
	}
	return true, fmt.Errorf("the event stream ended: %w", lines.Err())
}

func dispatch(name, data string, o *EventOptions, fn func(topology.Event) error) error {
	if name == "lost" {
		var l struct{ Lost uint64 }
		if err := json.Unmarshal([]byte(data), &l); err != nil {
			return fmt.Errorf("reading an event: %w", err)
		}
		if o.Lost != nil {
			o.Lost(l.Lost)
		}
		return nil
	}
	var ev topology.Event
	if err := json.Unmarshal([]byte(data), &ev); err != nil {
		return fmt.Errorf("reading an event: %w", err)
	}
	o.After = ev.Sequence
	if err := fn(ev); err != nil {
		return callbackError{err}
	}
	return nil
}
