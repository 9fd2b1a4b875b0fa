package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dovetail-sdn/dovetail/integration/lab"
)

func TestWithBridge(t *testing.T) {
	for args, want := range map[string]string{
		"dump-flows":                               "dump-flows br-int",
		"dump-flows table=60":                      "dump-flows br-int table=60",
		"dump-flows ip":                            "dump-flows br-int ip",
		"dump-flows br-int table=60":               "dump-flows br-int table=60",
		"dump-flows br-ex":                         "dump-flows br-ex",
		"dump-flows br-missing":                    "dump-flows br-missing",
		"dump-flows mine":                          "dump-flows mine",
		"dump-flows tcp:127.0.0.1:6653":            "dump-flows tcp:127.0.0.1:6653",
		"dump-flows tcp,tp_dst=80":                 "dump-flows br-int tcp,tp_dst=80",
		"--no-stats dump-flows":                    "--no-stats dump-flows br-int",
		"dump-flows --no-stats":                    "dump-flows br-int --no-stats",
		"dump-flows --no-stats br-int table=1":     "dump-flows --no-stats br-int table=1",
		"-O OpenFlow15 dump-groups":                "-O OpenFlow15 dump-groups br-int",
		"dump-flows -O OpenFlow15 br-int":          "dump-flows -O OpenFlow15 br-int",
		"add-flow priority=1,actions=drop":         "add-flow br-int priority=1,actions=drop",
		"add-flows -":                              "add-flows br-int -",
		"--bundle add-flows br-int flows.txt":      "--bundle add-flows br-int flows.txt",
		"parse-flow ip,actions=drop":               "parse-flow ip,actions=drop",
		"--version":                                "--version",
		"mod-port w1 down":                         "mod-port br-int w1 down",
		"-vconn:dbg show":                          "-vconn:dbg show br-int",
		"monitor br-int 65534 watch: --detach":     "monitor br-int 65534 watch: --detach",
		"--timeout 3 dump-ports br-int w1":         "--timeout 3 dump-ports br-int w1",
		"diff-flows br-int flows.txt":              "diff-flows br-int flows.txt",
		"-O OpenFlow13 --sort=priority dump-flows": "-O OpenFlow13 --sort=priority dump-flows br-int",
	} {
		if got := strings.Join(withBridge(strings.Fields(args), []string{"br-int", "br-ex", "mine"}), " "); got != want {
			t.Errorf("%s\n got %s\nwant %s", args, got, want)
		}
	}
}

func TestLabArguments(t *testing.T) {
	for args, want := range map[string]string{
		"lab exec acme/web1 ping -c 3 10.0.0.12":  "put -- before the command",
		"lab ofctl h1 dump-flows -O OpenFlow13":   "put -- before the command",
		"lab up --hosts 0 --name nolab":           "a lab has 1 to",
		"lab up --name Not/Good":                  "1 to 8 lower-case letters and digits",
		"lab exec acme/web1 --name nolab -- true": "lab up --name nolab",
		"lab attach web1 --name nolab":            "write TENANT/NAME",
		"lab exec outside/x --name nolab -- true": "lab up --name nolab",
		"lab outside x --address 198.51.100.1":    `--address: "198.51.100.1" is no address with its prefix length; write it like 198.51.100.10/24`,
		"lab outside x --gateway here":            `--gateway: "here" is no address`,
		"lab outside x --name nolab":              "lab up --name nolab",
		"lab outside":                             "NAME is missing; for example: dovetail lab outside client",
		"lab map h1":                              "PHYSNET is missing; for example: dovetail lab map h1 internet",
		"lab map h1 internet --name nolab":        "lab up --name nolab",
		"lab down --name ../etc":                  "1 to 8 lower-case letters and digits",
	} {
		a := &app{in: strings.NewReader(""), out: new(strings.Builder), err: new(strings.Builder)}
		root := newRootCmd(a)
		root.SetArgs(strings.Fields(args))
		if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("dovetail %s: %v, and not %q", args, err, want)
		}
	}
}

// Scripts with a lab of their own, made by the commands themselves.
func TestLabCommands(t *testing.T) {
	if err := lab.Preflight(); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Sweep(); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/lab",
		Setup: func(env *testscript.Env) error {
			name := fmt.Sprintf("c%05x%02x", os.Getpid()&0xfffff, scripts.Add(1)&0xff)
			env.Setenv("DOVETAIL_LAB", name)
			env.Setenv("OWNER", strconv.Itoa(os.Getpid()))
			env.Defer(func() {
				if err := lab.Down(name); err != nil {
					t.Errorf("removing the lab: %v", err)
				}
			})
			return nil
		},
	})
}

// scripts counts labs, for their names.
var scripts atomic.Int32

// Every command of the lab explains itself with an example.
func TestLabCommandsHaveExamples(t *testing.T) {
	for _, c := range newLabCmd(&app{}).Commands() {
		if c.Short == "" || !strings.Contains(c.Example, "dovetail lab "+c.Name()) {
			t.Errorf("dovetail lab %s: no help or no examples", c.Name())
		}
	}
}

func TestWhatIsUp(t *testing.T) {
	for _, tc := range []struct {
		hosts   []string
		joined  int
		manager string
		want    string
	}{
		{[]string{"h1", "h2"}, 2, "tcp:100.96.0.1:6640", `Lab x is up: 2 hosts (h1, h2) have joined the controller at tcp:100.96.0.1:6640; see them with "dovetail get hosts"`},
		{[]string{"h1", "h2"}, 1, "tcp:100.96.0.1:6640", `1 of 2 hosts (h1, h2) have joined`},
		{[]string{"h1"}, 0, "tcp:100.96.0.1:6640", `1 host (h1) waits for a controller at tcp:100.96.0.1:6640; start one with "dovetail controller --data-dir /tmp/dovetail", and`},
		{[]string{"h1", "h2"}, 0, "ssl:100.96.0.1:7000", `2 hosts (h1, h2) wait for a controller at ssl:100.96.0.1:7000; start one with "dovetail controller --data-dir /tmp/dovetail --ovsdb-listen :7000 --tls-cert`},
	} {
		if got := whatIsUp("x", tc.hosts, tc.joined, tc.manager); !strings.Contains(got, tc.want) {
			t.Errorf("%q, and not %q", got, tc.want)
		}
	}
}

func TestHostState(t *testing.T) {
	if s := hostState(nil); s != "running" {
		t.Error(s)
	}
	if s := hostState([]string{"ovsdb-server", "ovs-vswitchd"}); s != "broken: no ovsdb-server, no ovs-vswitchd" {
		t.Error(s)
	}
}

func TestLabOfTheEnvironment(t *testing.T) {
	t.Setenv("DOVETAIL_LAB", "nolab")
	root := newRootCmd(&app{in: strings.NewReader(""), out: new(strings.Builder), err: new(strings.Builder)})
	root.SetArgs([]string{"lab", "detach", "acme/web1"})
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "nolab") {
		t.Errorf("%v", err)
	}
}
