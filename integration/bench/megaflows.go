package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/dovetail-sdn/dovetail/client"
	"github.com/dovetail-sdn/dovetail/integration/lab"
	"golang.org/x/sys/unix"
)

const (
	crowd      = 50 // workloads
	connectsTo = 3  // ports of each other workload that each one tries
)

// megaflows counts the datapath's flows after every one of fifty workloads on two
// hosts has tried ports of every other. One for each pair and direction is what it
// must cost at least; ports must cost nothing.
func (s settings) megaflows(ctx context.Context, r *report) error {
	s.hosts = 2
	w, err := s.world(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	workloads, endpoints, err := w.crowd(ctx)
	if err != nil {
		return err
	}
	for _, h := range w.lab.Hosts() {
		if _, err := w.lab.Host(h).Appctl("revalidator/purge"); err != nil {
			return err
		}
	}
	refused := 0
	for i, wl := range workloads {
		n, err := tryAll(wl, i, endpoints)
		if err != nil {
			return err
		}
		refused += n
	}
	r.figure("megaflows.connections", float64(crowd*(crowd-1)*connectsTo), "connections")
	r.figure("megaflows.answered", float64(refused), "connections")
	for _, h := range w.lab.Hosts() {
		if err := w.countMegaflows(r, h, workloads); err != nil {
			return err
		}
	}
	return nil
}

// crowd makes the workloads, in turns on the two hosts. They know each other's MAC.
func (w *world) crowd(ctx context.Context) ([]*lab.Workload, []*client.Endpoint, error) {
	var workloads []*lab.Workload
	var endpoints []*client.Endpoint
	for i := range crowd {
		wl, e, err := w.attach(ctx, fmt.Sprintf("m%d", i), w.lab.Hosts()[i%2])
		if err != nil {
			return nil, nil, err
		}
		workloads, endpoints = append(workloads, wl), append(endpoints, e)
	}
	for _, wl := range workloads {
		var batch strings.Builder
		for _, e := range endpoints {
			fmt.Fprintf(&batch, "neigh replace %s lladdr %s dev eth0 nud permanent\n", e.Status.Addresses[0], e.Status.MAC)
		}
		cmd := wl.Command("ip", "-batch", "-")
		cmd.Stdin = strings.NewReader(batch.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, nil, fmt.Errorf("neighbours of %s: %w: %s", wl.ID, err, out)
		}
	}
	return workloads, endpoints, nil
}

// tryAll connects a workload to ports of all others, on which nobody listens, and
// counts those who said so.
func tryAll(wl *lab.Workload, self int, endpoints []*client.Endpoint) (refused int, err error) {
	err = lab.Inside(wl.Namespace(), func() error {
		var fds []unix.PollFd
		defer func() {
			for _, fd := range fds {
				_ = unix.Close(int(fd.Fd))
			}
		}()
		for i, e := range endpoints {
			for range connectsTo {
				if i == self {
					continue
				}
				fd, err := beginConnect(e.Status.Addresses[0], 1024+rand.IntN(60000))
				if err != nil {
					return err
				}
				fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT})
			}
		}
		for end := time.Now().Add(3 * time.Second); refused < len(fds) && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			var err error
			if refused, err = unix.Poll(fds, 0); err != nil && err != unix.EINTR {
				return err
			}
		}
		return nil
	})
	return refused, err
}

func beginConnect(to netip.Addr, port int) (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.As4(), Port: port}); err != nil && err != unix.EINPROGRESS {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("connecting to %s: %w", to, err)
	}
	return fd, nil
}

var (
	portMatch    = regexp.MustCompile(`(tcp|udp)\([^)]*(src|dst)=[^)]*\)`)
	addressMatch = regexp.MustCompile(`ipv4\([^)]*(src|dst)=[^)]*\)`)
)

// countMegaflows counts a host's datapath flows for TCP. A host sees each pair of
// its own workloads, and of one of them with one elsewhere, in both directions;
// packets between hosts are one flow where they leave and one where they arrive.
func (w *world) countMegaflows(r *report, host string, workloads []*lab.Workload) error {
	out, err := w.lab.Host(host).Appctl("dpctl/dump-flows")
	if err != nil {
		return err
	}
	flows, ports, addresses := 0, 0, 0
	for line := range strings.Lines(out) {
		key, _, _ := strings.Cut(line, ", packets:")
		// The outer packets of tunnels are not between workloads.
		if !strings.Contains(key, "eth_type(0x0800)") || strings.Contains(key, "udp(dst=4789)") || strings.Contains(line, "tnl_pop") {
			continue
		}
		flows++
		if portMatch.MatchString(key) {
			ports++
		}
		if addressMatch.MatchString(key) {
			addresses++
		}
	}
	here := 0
	for _, wl := range workloads {
		if wl.Host().Name == host {
			here++
		}
	}
	pairs := here*(here-1) + 2*here*(len(workloads)-here)
	name := "megaflows." + host
	r.figure(name+".flows", float64(flows), "megaflows")
	r.figure(name+".pairs", float64(pairs), "pairs and directions")
	r.figure(name+".ratio", float64(flows)/float64(pairs), "")
	r.figure(name+".matching.ports", float64(ports), "megaflows")
	r.figure(name+".matching.addresses", float64(addresses), "megaflows")
	return nil
}
