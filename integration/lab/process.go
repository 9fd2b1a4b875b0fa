package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process names a process for good: its id alone may be another's later.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot, field 22 of proc(5) stat
}

func findProcess(pid int) (*process, error) {
	start, err := startTime(pid)
	return &process{PID: pid, Start: start}, err
}

func (p *process) alive() bool {
	start, err := startTime(p.PID)
	return err == nil && start == p.Start
}

// startTime fails if there is no such process, or only its zombie.
func startTime(pid int) (uint64, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// stat is proc(5) stat from its third field on, which is the process's state.
func stat(pid int) ([]string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return nil, fmt.Errorf("process %d has ended: %w", pid, os.ErrProcessDone)
	}
	return fields, nil
}

// waitGone waits until a process that was signalled has ended.
func waitGone(pid int) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if _, err := stat(pid); err != nil {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

// killAll ends processes at once, and waits for that.
func killAll(pids []int) error {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, pid := range pids {
		if err := waitGone(pid); err != nil {
			return err
		}
	}
	return nil
}

// recorded are the processes whose ids are in a lab's folder.
func recorded(dir string) []int {
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.pid"))
	var pids []int
	for _, f := range files {
		if pid := recordedPID(f, dir); pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// recordedPID reads a pid file; 0 means that no process of the lab has the pid. A
// pid that meanwhile is another process's does not count: the lab's folder is part
// of the command line of all that a lab starts.
func recordedPID(file, dir string) int {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 {
		return 0
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !bytes.Contains(cmdline, []byte(dir+"/")) {
		return 0
	}
	return pid
}

// inhabitants are the processes in named namespaces: what a user still runs in a
// workload, and daemons that were about to write their ids down when their lab was
// killed. This process is never among them.
func inhabitants(names []string) []int {
	nets := map[string]bool{}
	for _, name := range names {
		path := filepath.Join("/run/netns", name)
		var fs unix.Statfs_t
		var st unix.Stat_t
		if unix.Statfs(path, &fs) != nil || fs.Type != unix.NSFS_MAGIC || unix.Stat(path, &st) != nil {
			continue // a name without a namespace: its making was interrupted
		}
		nets[fmt.Sprintf("net:[%d]", st.Ino)] = true
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil || len(nets) == 0 {
		return nil
	}
	delete(nets, own)
	all, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	var pids []int
	for _, link := range all {
		net, err := os.Readlink(link)
		pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
		if err == nil && nets[net] && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}
