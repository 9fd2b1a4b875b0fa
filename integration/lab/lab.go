// Package lab builds hosts with Open vSwitch in network namespaces of one
// machine, workloads attached to them, as a container runtime would, and a world
// outside: a switch that hosts can be cabled to, machines and routers.
//
// It owns the namespaces and interfaces of a lab, which carry its name, and the
// processes that it starts in them, whose ids it writes down. A lab outlives the
// process that made it, until Down. Traffic stays inside the lab, but for a veth
// pair by which a controller in the root namespace reaches the hosts.
//
// It never configures what the controller is to configure: a host knows its
// ids, its manager and its physical networks, no more.
package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Root is the folder under which each lab has its own.
const Root = "/run/dovetail-lab"

// underlayMTU leaves room for VXLAN around packets of 1,500 bytes.
const underlayMTU = 1600

// MaxHosts is how many hosts a lab can have.
const MaxHosts = 250

// Config says what lab is wanted.
type Config struct {
	// Name is part of the names of all that the lab makes: up to 8 letters, digits.
	Name  string
	Hosts int
	// Prefix goes before the hosts' names in what they call themselves (system-id), so
	// that one controller can have the hosts of several labs.
	Prefix string
	// Manager is the OVSDB target of the hosts, like tcp:192.0.2.1:6640; ADDRESS,
	// ADDRESS:PORT or :PORT will do. Where no address is given, or nothing at all,
	// it is the lab's own address in the root namespace, and port 6640.
	Manager string
	// Owner is the id of the process that the lab goes with: should it end without
	// Down, a later Sweep removes the lab. Without one, the lab stays until Down.
	Owner int
	// Progress, if not nil, hears how many hosts are up.
	Progress func(up, all int)
}

// Lab is a set of hosts. Its methods are safe for concurrent use.
type Lab struct {
	Name string
	// Controller is the lab's address in the root namespace.
	Controller netip.Addr

	mu    sync.Mutex
	state state
}

var goodName = regexp.MustCompile(`^[a-z0-9]{1,8}$`)

func checkName(name string) error {
	if !goodName.MatchString(name) {
		return fmt.Errorf("lab name %q: use 1 to 8 lower-case letters and digits", name)
	}
	return nil
}

var goodPrefix = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,18}[a-z0-9-])?)?$`)

// Up makes a lab. Leftovers of a lab of the same name are removed first.
func Up(ctx context.Context, cfg Config) (*Lab, error) {
	if err := checkName(cfg.Name); err != nil {
		return nil, err
	}
	if cfg.Hosts < 1 || cfg.Hosts > MaxHosts {
		return nil, fmt.Errorf("%d hosts: a lab has 1 to %d", cfg.Hosts, MaxHosts)
	}
	if !goodPrefix.MatchString(cfg.Prefix) {
		return nil, fmt.Errorf("host prefix %q: use up to 20 lower-case letters, digits and hyphens, as in %q", cfg.Prefix, cfg.Name+"-")
	}
	if _, err := managerTarget(cfg.Manager, netip.IPv4Unspecified()); err != nil {
		return nil, err
	}
	if err := Preflight(); err != nil {
		return nil, err
	}
	if err := makeRoom(cfg); err != nil {
		return nil, err
	}
	l := &Lab{Name: cfg.Name, state: state{Workloads: map[string]*Entry{}}}
	if err := l.up(ctx, cfg); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("interrupted; the lab was removed: %w", context.Cause(ctx))
		}
		return nil, errors.Join(err, Down(cfg.Name))
	}
	return l, nil
}

// makeRoom removes what is left of a lab whose owner has ended. A lab that somebody
// made by hand is his to remove.
func makeRoom(cfg Config) error {
	if s, err := readState(cfg.Name); err == nil && s.Owner != nil && s.Owner.PID != cfg.Owner && s.Owner.PID != os.Getpid() && s.Owner.alive() {
		return fmt.Errorf("lab %s belongs to process %d, which still runs: use another name", cfg.Name, s.Owner.PID)
	} else if err == nil && s.Owner == nil && cfg.Owner == 0 {
		return fmt.Errorf("lab %s is there already (%d hosts, %d workloads): remove it first with \"dovetail lab down --name %s\"", cfg.Name, len(s.Hosts), len(s.Workloads), cfg.Name)
	}
	if err := Down(cfg.Name); err != nil {
		return fmt.Errorf("removing what is left of lab %s: %w", cfg.Name, err)
	}
	return nil
}

func (l *Lab) up(ctx context.Context, cfg Config) (err error) {
	if err := os.MkdirAll(l.dir(), 0o700); err != nil {
		return err
	}
	if cfg.Owner != 0 {
		if l.state.Owner, err = findProcess(cfg.Owner); err != nil {
			return fmt.Errorf("the lab's owner: %w", err)
		}
	}
	// The owner is known from the start, so that a Sweep finds whatever is left.
	if err := l.save(); err != nil {
		return err
	}
	if err := l.underlay(); err != nil {
		return fmt.Errorf("making the underlay: %w", err)
	}
	if cfg.Manager, err = managerTarget(cfg.Manager, l.Controller); err != nil {
		return err
	}
	l.state.Manager, l.state.Prefix = cfg.Manager, cfg.Prefix
	for i := 1; i <= cfg.Hosts; i++ {
		l.state.Hosts = append(l.state.Hosts, fmt.Sprintf("h%d", i))
	}
	if err := l.save(); err != nil {
		return err
	}
	return l.hostsUp(ctx, cfg)
}

func (l *Lab) hostsUp(ctx context.Context, cfg Config) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	var mu sync.Mutex
	up := 0
	for _, name := range l.state.Hosts {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := l.Host(name).up(cfg.Manager); err != nil {
				return fmt.Errorf("starting host %s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if up++; cfg.Progress != nil {
				cfg.Progress(up, cfg.Hosts)
			}
			return nil
		})
	}
	return g.Wait()
}

// Open finds a lab that is up.
func Open(name string) (*Lab, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	st, err := readState(name)
	if err != nil {
		return nil, err
	}
	l := &Lab{Name: name, state: st}
	l.Controller = l.address(1)
	return l, nil
}

// Names are the labs that are up, or that something is left of.
func Names() ([]string, error) {
	dirs, err := os.ReadDir(Root)
	if errors.Is(err, os.ErrPermission) {
		return nil, errNotRoot
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, d := range dirs {
		if d.IsDir() && goodName.MatchString(d.Name()) {
			names = append(names, d.Name())
		}
	}
	return names, nil
}

// Hosts are the names of the lab's hosts.
func (l *Lab) Hosts() []string { return slices.Clone(l.state.Hosts) }

// Manager is the OVSDB target of the hosts.
func (l *Lab) Manager() string { return l.state.Manager }

// Host is a host by name, h1 to hN.
func (l *Lab) Host(name string) *Host { return &Host{lab: l, Name: name} }

// FindHost is Host for names that people type: with the prefix or without.
func (l *Lab) FindHost(name string) (*Host, error) {
	if short := strings.TrimPrefix(name, l.state.Prefix); slices.Contains(l.state.Hosts, short) {
		return l.Host(short), nil
	}
	return nil, fmt.Errorf("lab %s has no host %q; it has %s", l.Name, name, strings.Join(l.state.Hosts, ", "))
}

func (l *Lab) dir() string { return filepath.Join(Root, l.Name) }

// Folder is a folder that goes with the lab. Processes whose ids are in *.pid files
// there, and that have its path in their command line, end with the lab.
func (l *Lab) Folder(name string) string { return filepath.Join(l.dir(), name) }

func (l *Lab) namespace(what string) string { return "dv-" + l.Name + "-" + what }
