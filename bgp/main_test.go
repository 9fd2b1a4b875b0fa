package bgp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

const (
	insideEnv = "DOVETAIL_BGP_TEST_INSIDE"
	childEnv  = "DOVETAIL_BGP_TEST_CHILD"
)

// TestMain runs the tests in namespaces of their own: network, processes and /run are
// private, and whatever is left over goes with them.
func TestMain(m *testing.M) {
	if plan := os.Getenv(childEnv); plan != "" {
		runChild(plan)
	}
	if os.Getenv(insideEnv) == "" {
		fmt.Fprintln(os.Stderr, "running the tests in namespaces of their own:", enter())
		os.Exit(1)
	}
	for _, args := range [][]string{{"mount", "-t", "tmpfs", "tmpfs", "/run"}, {"ip", "link", "set", "lo", "up"}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v: %s\n", args, err, out)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// enter replaces this process; it only returns if that fails.
func enter() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("root is needed")
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	args := append([]string{"unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"}, os.Args...)
	return syscall.Exec(unshare, args, append(os.Environ(), insideEnv+"=yes"))
}

// childPlan is what a speaker in a process of its own does until it is killed.
type childPlan struct {
	Config Config
	Routes []Route
}

func runChild(plan string) {
	var p childPlan
	if err := json.Unmarshal([]byte(plan), &p); err != nil {
		panic(err)
	}
	s := New(zerolog.New(os.Stderr))
	if err := s.Apply(context.Background(), p.Config); err != nil {
		panic(err)
	}
	if err := s.Announce(context.Background(), p.Routes); err != nil {
		panic(err)
	}
	select {}
}

// startChild returns what kills the child as kill -9 does.
func startChild(t *testing.T, plan childPlan) (kill func()) {
	t.Helper()
	b, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"="+string(b))
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	return kill
}

func startSpeaker(t *testing.T, cfg Config) *Speaker {
	t.Helper()
	s := New(zerolog.New(zerolog.NewTestWriter(t)))
	s.limits.retryMin, s.limits.retryMax = 50*time.Millisecond, 500*time.Millisecond
	t.Cleanup(s.Close)
	apply(t, s, cfg)
	return s
}

func apply(t *testing.T, s *Speaker, cfg Config) {
	t.Helper()
	if err := s.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

func announce(t *testing.T, s *Speaker, routes ...Route) {
	t.Helper()
	if err := s.Announce(t.Context(), routes); err != nil {
		t.Fatal(err)
	}
}

func route(prefix, hop string) Route {
	return Route{Prefix: netip.MustParsePrefix(prefix), NextHop: netip.MustParseAddr(hop)}
}

// eventually waits until what is seen is as it should be.
func eventually(t *testing.T, what string, ok func() (bool, any)) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		good, seen := ok()
		if good {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: still %v", what, seen)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func stateOf(s *Speaker, peer netip.Addr) PeerState {
	for _, p := range s.Peers() {
		if p.Address == peer {
			return p
		}
	}
	return PeerState{}
}

func waitEstablished(t *testing.T, s *Speaker, peer netip.Addr) PeerState {
	t.Helper()
	eventually(t, "session with "+peer.String(), func() (bool, any) {
		p := stateOf(s, peer)
		return !p.Established.IsZero(), p
	})
	return stateOf(s, peer)
}
