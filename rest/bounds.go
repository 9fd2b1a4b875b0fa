package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// bounded wraps the router in what holds for every request: it is counted,
// bounded in number, size and time, and a bug in a handler ends one request only.
func (s *server) bounded() (http.Handler, error) {
	m, err := newMetrics(s.cfg.Register)
	if err != nil {
		return nil, err
	}
	requests := make(chan struct{}, s.cfg.MaxRequests)
	applies := make(chan struct{}, s.cfg.MaxApplies)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w, timeout: s.cfg.WriteTimeout}
		start := time.Now()
		defer s.finish(rec, r, m, start)
		limit := requests
		switch {
		case unlimited(r.URL.Path):
			limit = nil
		case r.URL.Path == applyPath:
			limit = applies
		}
		if limit != nil {
			select {
			case limit <- struct{}{}:
				release := sync.OnceFunc(func() { <-limit })
				defer release()
				r = r.WithContext(context.WithValue(r.Context(), releaseKey{}, release))
			default:
				rec.Header().Set("Retry-After", "1")
				rec.Header().Set("Connection", "close")
				writeProblem(rec, fromStatus(http.StatusTooManyRequests, fmt.Sprintf("%d requests are being served already", cap(limit))))
				return
			}
		}
		s.serve(rec, r)
	}), nil
}

// releaseKey is for the function that gives up a request's place.
type releaseKey struct{}

// await gives up the place of a request that only waits, for one among those that
// wait: many of them do not keep others out.
func (s *server) await(ctx context.Context) (done func(), p *Problem) {
	select {
	case s.waiting <- struct{}{}:
	default:
		return nil, fromStatus(http.StatusTooManyRequests, fmt.Sprintf("%d requests are waiting already", cap(s.waiting)))
	}
	if release, ok := ctx.Value(releaseKey{}).(func()); ok {
		release()
	}
	return func() { <-s.waiting }, nil
}

// unlimited paths answer at once or have a bound of their own.
func unlimited(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/metrics" || path == eventsPath
}

// serve reads the body, so that a slow sender is cut off and handlers that wait
// are not: a read deadline that is left behind would end them too.
func (s *server) serve(w *recorder, r *http.Request) {
	if p := refused(r); p != nil {
		w.Header().Set("Connection", "close") // else net/http waits for the rest of the body
		writeProblem(w, p)
		return
	}
	if r.Method == http.MethodHead && r.URL.Path != eventsPath { // a stream has no end to wait for
		r = r.Clone(r.Context()) // net/http drops the body of the answer
		r.Method = http.MethodGet
	}
	limit := s.cfg.MaxBody
	if r.URL.Path == applyPath {
		limit = s.cfg.MaxManifest
	}
	ctl := http.NewResponseController(w.ResponseWriter)
	_ = ctl.SetReadDeadline(time.Now().Add(s.cfg.BodyTimeout)) // not every ResponseWriter can
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	_ = ctl.SetReadDeadline(time.Time{})
	if err != nil {
		w.Header().Set("Connection", "close")
		writeProblem(w, bodyProblem(err, limit))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.router.ServeHTTP(w, r)
}

func bodyProblem(err error, limit int64) *Problem {
	var large *http.MaxBytesError
	var timeout net.Error
	switch {
	case errors.As(err, &large):
		return fromStatus(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", limit))
	case errors.As(err, &timeout) && timeout.Timeout():
		return fromStatus(http.StatusRequestTimeout, "the body did not come in time")
	}
	return fromStatus(http.StatusBadRequest, "the body cannot be read: "+err.Error())
}

// finish logs and counts a request, and answers if the handler panicked.
func (s *server) finish(w *recorder, r *http.Request, m *metrics, start time.Time) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler {
			panic(v)
		}
		s.cfg.Log.Error().Str("method", r.Method).Str("path", clip(r.URL.Path)).Interface("panic", v).Bytes("stack", debug.Stack()).Msg("bug in a handler")
		if w.status == 0 {
			writeProblem(w, fromStatus(http.StatusInternalServerError, "a bug in the controller; its log has the details"))
		}
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	took := time.Since(start)
	m.observe(r.Method, w.status, took)
	level := s.cfg.Log.Debug()
	if w.status >= 500 && w.status != http.StatusGatewayTimeout { // that one is about hosts, and theirs to log
		level = s.cfg.Log.Warn()
	}
	level.Str("method", r.Method).Str("path", clip(r.URL.Path)).Int("status", w.status).Dur("took", took).Str("from", r.RemoteAddr).Msg("request")
}

// recorder notes the status and gives the client a bounded time to take the
// answer, from its first byte.
type recorder struct {
	http.ResponseWriter
	timeout time.Duration
	status  int
}

// Unwrap is for http.ResponseController.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.timeout))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	for name, v := range p.headers {
		w.Header()[name] = v
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone
}

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "dovetail_http_requests_total", Help: "Requests to the REST API by method and status code."}, []string{"method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dovetail_http_request_seconds", Help: "Time until the answer was complete, waiting included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30, 300}}, []string{"method"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.requests), reg.Register(m.seconds))
}

func (m *metrics) observe(method string, status int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodPost, http.MethodDelete:
	default:
		method = "other" // clients must not make up series
	}
	m.requests.WithLabelValues(method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method).Observe(took.Seconds())
}

type stoppingKey struct{}

// stopping returns a context that ends when the server begins to stop. Requests
// that may last long look at it; the others are let finish.
func stopping(ctx context.Context) context.Context {
	if c, ok := ctx.Value(stoppingKey{}).(context.Context); ok {
		return c
	}
	return context.Background()
}
