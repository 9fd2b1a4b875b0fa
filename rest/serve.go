package rest

import (
	"context"
	"crypto/tls"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// maxConns bounds the connections to the API, idle ones included.
const maxConns = 4096

// stopWithin is how long requests may take to finish when the server stops.
const stopWithin = 10 * time.Second

// logging is a handler that lets its server write to its log.
type logging struct {
	http.Handler
	log zerolog.Logger
}

// Serve serves the handler on the listener until ctx ends, over TLS if cfg is not
// nil. Then it accepts no more, ends event streams and waits, lets the other
// requests finish for at most 10 s, and returns nil. It closes the listener.
func Serve(ctx context.Context, l net.Listener, h http.Handler, cfg *tls.Config) error {
	l = &limitedListener{Listener: l, slots: make(chan struct{}, maxConns), closed: make(chan struct{})}
	srv := &http.Server{
		Handler:           h,
		TLSConfig:         cfg,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       15 * time.Second, // idle connections take places of others
		MaxHeaderBytes:    64 << 10,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), stoppingKey{}, ctx)
		},
	}
	done := make(chan error, 1)
	if l, ok := h.(logging); ok {
		srv.ErrorLog = stdlog.New(l.log, "", 0) // of TLS handshakes that failed, say
	}
	go func() {
		if cfg != nil {
			done <- srv.ServeTLS(l, "", "")
			return
		}
		done <- srv.Serve(l)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		_ = srv.Close() // they had their time
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// limitedListener accepts a bounded number of connections at once.
type limitedListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
