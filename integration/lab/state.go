package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// state is what is written down of a lab, so that another process can go on with it.
type state struct {
	Block     int               `json:"block"`
	Manager   string            `json:"manager"`
	Hosts     []string          `json:"hosts"`
	Prefix    string            `json:"prefix,omitempty"` // of the hosts' system-ids
	Workloads map[string]*Entry `json:"workloads"`        // by interface id
	Outside   outside           `json:"outside,omitzero"`
	Owner     *process          `json:"owner,omitempty"`
}

// outside is what is written down of the world outside. Its switches are made when
// something is plugged into them.
type outside struct {
	Switch   bool                    `json:"switch,omitempty"` // complete
	Rack     bool                    `json:"rack,omitempty"`   // complete
	Machines map[string]OutsideEntry `json:"machines,omitempty"`
}

// Entry is what is written down of a workload.
type Entry struct {
	Host      string   `json:"host"`
	Namespace string   `json:"namespace"`           // may be that of others
	Interface string   `json:"interface,omitempty"` // in the namespace; empty means eth0
	Port      string   `json:"port"`
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses"`
	Number    int      `json:"number"`
}

// errNotRoot is for whoever may not even look.
var errNotRoot = errors.New("labs belong to root, as their network namespaces do: run this as root")

func readState(name string) (s state, err error) {
	data, err := os.ReadFile(filepath.Join(Root, name, "state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return s, fmt.Errorf("there is no lab %s: make it with \"dovetail lab up --name %s\"", name, name)
	}
	if errors.Is(err, os.ErrPermission) {
		return s, errNotRoot
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("the state of lab %s is damaged (%w): remove it with \"dovetail lab down --name %s\"", name, err, name)
	}
	if s.Workloads == nil {
		s.Workloads = map[string]*Entry{}
	}
	if s.Outside.Machines == nil {
		s.Outside.Machines = map[string]OutsideEntry{}
	}
	return s, nil
}

// update changes what is written down of workloads and the world outside; the rest
// never changes. Another process may have changed it since it was read, as when
// several workloads are attached at once, so it is read anew, and locked until it is
// written. If change fails it must have changed nothing.
func (l *Lab) update(change func(s *state) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	unlock, err := lockFile(filepath.Join(l.dir(), "state.lock"))
	if err != nil {
		return fmt.Errorf("locking the state of lab %s: %w", l.Name, err)
	}
	defer unlock()
	fresh, err := readState(l.Name)
	if err != nil {
		return err
	}
	for id, e := range fresh.Workloads {
		// Workload values of this process point to the entries that they know.
		if known := l.state.Workloads[id]; known != nil {
			*known = *e
			fresh.Workloads[id] = known
		}
	}
	l.state.Workloads, l.state.Outside = fresh.Workloads, fresh.Outside
	if err := change(&l.state); err != nil {
		return err
	}
	return l.save()
}

// save writes the state down. Others must be kept away: see update.
func (l *Lab) save() error {
	data, err := json.MarshalIndent(l.state, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(l.dir(), "state.json.new")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(l.dir(), "state.json"))
}

// lockFile waits for the lock that the file stands for. The lock ends with the
// process at the latest.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
