package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
)

// process is a controller.
type process struct {
	program, dir          string
	rest, ovsdb, openFlow string
	api                   *client.Client
	cmd                   *exec.Cmd
	log                   *os.File
}

// newProcess prepares a controller whose data and log are in dir, and which hosts
// find at the two addresses.
func newProcess(program, dir, ovsdb, openFlow string) (p *process, err error) {
	p = &process{program: program, dir: dir, ovsdb: ovsdb, openFlow: openFlow}
	if p.rest, err = freeAddress(); err != nil {
		return nil, err
	}
	if p.api, err = client.New("http://"+p.rest, nil); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p.log, err = os.Create(filepath.Join(dir, "log"))
	return p, err
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String(), nil
}

// start starts the controller on the data that is there, and waits until it
// answers.
func (p *process) start(ctx context.Context) error {
	p.cmd = exec.Command(p.program, "controller", "--data-dir", filepath.Join(p.dir, "data"), "--rest-listen", p.rest,
		"--ovsdb-listen", p.ovsdb, "--openflow-listen", p.openFlow)
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("%w: build it with \"make build\"", err)
	}
	// In a lab's folder this ends the controller with the lab, should we be killed.
	if err := os.WriteFile(filepath.Join(p.dir, "controller.pid"), []byte(strconv.Itoa(p.cmd.Process.Pid)), 0o600); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if _, _, err := p.api.Do(ctx, client.Request{Method: "GET", Path: "/readyz"}); err == nil {
			return nil
		}
	}
	return errors.Join(ctx.Err(), fmt.Errorf("the controller is not ready within a minute: see %s", p.log.Name()))
}

// kill is kill -9.
func (p *process) kill() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

func (p *process) close() {
	p.kill()
	_ = p.log.Close()
}

func (p *process) cpu() float64 { return processTime(p.cmd.Process.Pid) }

// memory is the controller's resident memory in MiB: now, and at its peak.
func (p *process) memory() (now, peak float64) {
	return memoryOf(p.cmd.Process.Pid, "VmRSS:"), peakMemory(p.cmd.Process.Pid)
}

// peakMemory is a process's peak resident memory in MiB.
func peakMemory(pid int) float64 { return memoryOf(pid, "VmHWM:") }

// memoryOf reads a line of /proc/PID/status (proc(5)), in MiB.
func memoryOf(pid int, field string) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), field)
	var kib float64
	_, _ = fmt.Sscan(rest, &kib)
	return kib / 1024
}

// metric is the sum of a metric of the controller over its labels.
func (p *process) metric(ctx context.Context, name string) (float64, error) {
	body, _, err := p.api.Do(ctx, client.Request{Method: "GET", Path: "/metrics"})
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for line := range strings.Lines(string(body)) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		var v float64
		if _, err := fmt.Sscan(rest[strings.LastIndex(rest, " ")+1:], &v); err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum += v
	}
	return sum, nil
}
