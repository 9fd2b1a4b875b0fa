package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// oneLine says what is wrong, where, and what to do.
func (a *app) oneLine(err error) string {
	text := err.Error()
	var sending *url.Error
	if errors.As(err, &sending) {
		text = a.unreached(sending.Err)
	}
	return strings.Join(strings.Fields(text), " ")
}

// unreached says why the API did not answer.
func (a *app) unreached(err error) string {
	const where = "say where it is with --server or DOVETAIL_SERVER"
	var (
		cert    *tls.CertificateVerificationError
		alert   tls.AlertError
		noTLS   tls.RecordHeaderError
		network *net.OpError
	)
	switch {
	case errors.As(err, &cert):
		return fmt.Sprintf("the certificate of %s cannot be trusted: %v; give its CA with --ca", a.server, cert.Err)
	case errors.As(err, &alert):
		return fmt.Sprintf("%s wants a certificate that it can trust (%v); give one with --cert and --key", a.server, alert)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Sprintf("what listens at %s speaks plain HTTP; write %s", a.server, strings.Replace(a.server, "https:", "http:", 1))
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("no controller answers at %s; start one with `dovetail controller`, or %s", a.server, where)
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Sprintf("the controller at %s cannot be reached: %v; %s", a.server, network.Err, where)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("the controller at %s does not answer; %s", a.server, where)
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &noTLS), errors.Is(err, syscall.ECONNRESET), notHTTP(err):
		return fmt.Sprintf("what listens at %s is not the REST API of a controller, whose port is 8181 unless --rest-listen says otherwise; %s", a.server, where)
	}
	return fmt.Sprintf("the controller at %s cannot be asked: %v", a.server, err)
}

// notHTTP knows the errors of net/http for what is no HTTP; most have no types. The
// last one is of a server that speaks first, when its bytes come before the request
// is on its way.
func notHTTP(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	for _, text := range []string{"malformed HTTP", "transport connection broken", "readLoopPeekFailLocked"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}
