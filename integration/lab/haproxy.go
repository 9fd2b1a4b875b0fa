package lab

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// HAProxyConfig says what a load balancer does.
type HAProxyConfig struct {
	Listen   netip.AddrPort   // in the workload's namespace
	Backends []HAProxyBackend // one after the other gets a connection
	// CheckInterval is the time between two health checks of a backend, which opens a
	// connection; two that fail have the backend left out. 0 means 200 ms.
	CheckInterval time.Duration
}

// HAProxyBackend is a server that gets connections.
type HAProxyBackend struct {
	Name string
	Addr netip.AddrPort
}

// HAProxy is a load balancer of TCP in a workload's namespace. It ends with the
// workload, or with the lab.
type HAProxy struct{ workload *Workload }

// StartHAProxy starts HAProxy, of which a namespace has one. It needs Debian's package
// haproxy.
func (w *Workload) StartHAProxy(cfg HAProxyConfig) (*HAProxy, error) {
	if _, err := exec.LookPath("haproxy"); err != nil {
		return nil, errors.New("haproxy is missing: run \"apt-get install haproxy\"")
	}
	if !cfg.Listen.IsValid() || len(cfg.Backends) == 0 {
		return nil, fmt.Errorf("HAProxy in %s: where it listens and a backend are needed", w.ID)
	}
	h := &HAProxy{workload: w}
	if pid := h.pid(); pid != 0 {
		return nil, fmt.Errorf("%s has a running HAProxy already, process %d", w.ID, pid)
	}
	if err := os.MkdirAll(h.dir(), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(h.file("haproxy.cfg"), []byte(cfg.text(h.file("stats.sock"))), 0o600); err != nil {
		return nil, err
	}
	// It ends with an error if it cannot listen; otherwise it goes on in the background.
	if err := run("ip", "netns", "exec", w.Namespace(), "haproxy", "-D", "-f", h.file("haproxy.cfg"), "-p", h.file("haproxy.pid")); err != nil {
		return nil, fmt.Errorf("starting HAProxy in %s: %w", w.ID, err)
	}
	return h, nil
}

// text is HAProxy's configuration.
func (cfg HAProxyConfig) text(stats string) string {
	if cfg.CheckInterval == 0 {
		cfg.CheckInterval = 200 * time.Millisecond
	}
	lines := []string{
		"global", " maxconn 4096", " nbthread 1", " stats socket " + stats + " mode 600",
		"defaults", " mode tcp", " timeout connect 2s", " timeout check 1s", " timeout client 10m", " timeout server 10m",
		"listen lab", " bind " + cfg.Listen.String(), " balance roundrobin",
	}
	for _, b := range cfg.Backends {
		lines = append(lines, fmt.Sprintf(" server %s %s check inter %dms fall 2 rise 1", b.Name, b.Addr, cfg.CheckInterval.Milliseconds()))
	}
	return strings.Join(lines, "\n") + "\n"
}

func (h *HAProxy) dir() string { return h.workload.lab.Folder("haproxy-" + h.workload.Namespace()) }

func (h *HAProxy) file(name string) string { return filepath.Join(h.dir(), name) }

func (h *HAProxy) pid() int {
	return recordedPID(h.file("haproxy.pid"), h.workload.lab.dir())
}

// Kill ends HAProxy at once, with its connections.
func (h *HAProxy) Kill() error {
	pid := h.pid()
	if pid == 0 {
		return fmt.Errorf("HAProxy does not run in %s", h.workload.ID)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("ending HAProxy in %s: %w", h.workload.ID, err)
	}
	return waitGone(pid)
}

// Backends says of each backend, by its name, whether HAProxy takes it for alive.
func (h *HAProxy) Backends(ctx context.Context) (map[string]bool, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", h.file("stats.sock"))
	if err != nil {
		return nil, fmt.Errorf("asking HAProxy in %s: %w", h.workload.ID, err)
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if _, err := io.WriteString(c, "show stat\n"); err != nil {
		return nil, fmt.Errorf("asking HAProxy in %s: %w", h.workload.ID, because(ctx, err))
	}
	alive, err := readBackends(c)
	if err != nil {
		return nil, fmt.Errorf("reading what HAProxy in %s says: %w", h.workload.ID, because(ctx, err))
	}
	return alive, nil
}

// readBackends reads HAProxy's statistics: the second column is a server's name, the
// eighteenth its status.
func readBackends(r io.Reader) (map[string]bool, error) {
	const nameColumn, statusColumn = 1, 17
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1 // the last line is empty, others end with a comma
	rows, err := in.ReadAll()
	if err != nil {
		return nil, err
	}
	alive := map[string]bool{}
	for _, row := range rows {
		if len(row) <= statusColumn {
			return nil, fmt.Errorf("a line of statistics has %d columns", len(row))
		}
		if name := row[nameColumn]; name != "svname" && name != "FRONTEND" && name != "BACKEND" {
			alive[name] = strings.HasPrefix(row[statusColumn], "UP")
		}
	}
	return alive, nil
}
