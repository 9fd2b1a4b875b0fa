package ovsdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// frames collects all messages of a stream.
func frames(r io.Reader, maxBytes, maxDepth int) (out []string, err error) {
	f := newFramer(r, maxBytes, maxDepth, newBudget(1<<20))
	defer f.release()
	for {
		b, err := f.nextStep()
		if err != nil {
			return out, err
		}
		if b != nil {
			out = append(out, string(b))
		}
	}
}

func TestFramer(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []string
		err      error
	}{
		{"two", ` {"a":1}` + "\n" + `{"b":[{}]} `, []string{`{"a":1}`, `{"b":[{}]}`}, io.EOF},
		{"strings", `{"a":"}{][\"}\\"}{}`, []string{`{"a":"}{][\"}\\"}`, `{}`}, io.EOF},
		{"cut", `{"a":`, nil, io.ErrUnexpectedEOF},
		{"no object", `{}x`, []string{`{}`}, errNotJSONRPC},
		{"deep", `{"a":[[[[]]]]}`, nil, errMessageDepth},
		{"large", `{"a":"0123456789012345678901234567890123456789"}`, nil, errMessageSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"at once": bytes.NewReader([]byte(tt.in)), "byte by byte": iotest.OneByteReader(bytes.NewReader([]byte(tt.in))),
			} {
				got, err := frames(r, 40, 4)
				if !errors.Is(err, tt.err) || len(got) != len(tt.want) {
					t.Fatalf("%s: %q, %v; want %q, %v", name, got, err, tt.want, tt.err)
				}
				for i := range got {
					if got[i] != tt.want[i] {
						t.Errorf("%s: message %d is %q, want %q", name, i, got[i], tt.want[i])
					}
				}
			}
		})
	}
}

func TestFramerGivesBack(t *testing.T) {
	b := newBudget(100 << 10)
	msg := []byte(`{"a":"` + string(bytes.Repeat([]byte("x"), 90<<10)) + `"}`)
	f := newFramer(bytes.NewReader(bytes.Repeat(msg, 3)), 1<<20, 4, b)
	n := 0
	for {
		m, err := f.nextStep()
		if err != nil {
			break
		}
		if m != nil {
			n++
		}
	}
	f.release()
	if n != 3 || b.left.Load() != 100<<10 || cap(f.buf) > keepBufferBytes {
		t.Errorf("%d messages, %d left, %d kept", n, b.left.Load(), cap(f.buf))
	}
	if _, err := frames(bytes.NewReader(bytes.Repeat(msg, 20)), 4<<20, 4); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	small := newFramer(bytes.NewReader(msg), 1<<20, 4, newBudget(10<<10))
	for {
		if _, err := small.nextStep(); err != nil {
			if !errors.Is(err, errBudget) {
				t.Error(err)
			}
			break
		}
	}
}

// FuzzFramer: how bytes arrive makes no difference, bounds hold, and valid JSON
// objects come out as they went in.
func FuzzFramer(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"\"}"} {"b":[1,{}]}`, `{"a":`, `[`, "{\"\\", `{]`, `{"a":[[[[[[]]]]]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		a, errA := frames(bytes.NewReader(in), 256, 5)
		b, errB := frames(iotest.OneByteReader(bytes.NewReader(in)), 256, 5)
		if (errA == nil) != (errB == nil) || len(a) > len(b) {
			t.Fatalf("%q, %v; byte by byte %q, %v", a, errA, b, errB)
		}
		for i := range a {
			if a[i] != b[i] || len(a[i]) > 256 {
				t.Fatalf("message %d: %q, byte by byte %q", i, a[i], b[i])
			}
		}
		trimmed := bytes.Trim(in, " \t\r\n")
		if len(trimmed) > 0 && len(trimmed) < 256 && trimmed[0] == '{' && json.Valid(trimmed) && !errors.Is(errA, errMessageDepth) {
			if len(a) != 1 || a[0] != string(trimmed) {
				t.Fatalf("%q came out as %q, %v", trimmed, a, errA)
			}
		}
	})
}

func updateSeeds() []string {
	return []string{
		rootUpdate("h1"),
		`{"Bridge":{"00000000-0000-4000-8000-000000000002":{"old":{},"new":{"name":"br-int","ports":["uuid","00000000-0000-4000-8000-000000000003"],
		"fail_mode":"secure","datapath_type":"","datapath_id":["set",[]],"protocols":["set",["OpenFlow10","OpenFlow13"]],"controller":["set",[]],
		"other_config":["map",[["datapath-id","0000000000000001"]]],"external_ids":["map",[]]}}}}`,
		`{"Port":{"00000000-0000-4000-8000-000000000003":{"new":{"name":"p","interfaces":["set",[["uuid","00000000-0000-4000-8000-000000000004"]]]}}}}`,
		`{"Interface":{"00000000-0000-4000-8000-000000000004":{"new":{"name":"p","ofport":["set",[]],"mtu":1500,"link_state":"up",
		"external_ids":["map",[["iface-id","x"]]],
		"bfd":["map",[["enable","true"]]],"bfd_status":["map",[["forwarding","true"],["state","up"]]],"cfm_mpid":["set",[]]}},"00000000-0000-4000-8000-000000000005":{"new":null}}}`,
		`{"Interface":{"00000000-0000-4000-8000-000000000004":{"new":{"name":"dv-l1","ofport":50001,
		"bfd_status":["map",[["forwarding","true"]]],"external_ids":["map",[["dovetail-owner","dovetail"]]]}}}}`,
		`{"Interface":{"00000000-0000-4000-8000-000000000004":{"new":{"bfd_status":["map",[["a"]]]}}}}`,
		`{"Interface":{"00000000-0000-4000-8000-000000000004":{"new":{"ofport":["uuid"]}}}}`,
		`{"Port":{"00000000-0000-4000-8000-000000000003":{"new":{"interfaces":["uuid"]}}}}`,
		`{"Port":{"00000000-0000-4000-8000-000000000003":{"new":{"external_ids":["map",[["a"]]]}}}}`,
		`{"Controller":[]}`, `{}`, `null`, `{"Port":`,
	}
}

// FuzzUpdate: no update makes decoding, planning or reporting panic, and the
// replica's account of itself is right.
func FuzzUpdate(f *testing.F) {
	for _, s := range updateSeeds() {
		f.Add([]byte(s))
	}
	w := wish{info: HostInfo{SystemID: "h1"}, assign: Assignment{DatapathID: 1, Controller: "tcp:192.0.2.1:6653"}}
	w.info.EncapIP, _ = encapIP("192.0.2.7")
	w.info.BridgeMappings = map[string]string{"ext": "br-ex"}
	w.assign.Links = Links{Tunnels: tunnelsTo("192.0.2.2", "192.0.2.3"), Tick: true}
	f.Fuzz(func(t *testing.T, in []byte) {
		db := replica{budget: newBudget(1 << 30)}
		for _, s := range append(updateSeeds()[:4:4], string(in)) {
			if db.apply(json.RawMessage(s)) != nil {
				break
			}
		}
		_, _, _ = hostInfo(&db)
		p := makePlan(&db, w)
		if _, err := json.Marshal(p.ops); err != nil {
			t.Fatal(err)
		}
		checkSwitch(&db, w, p.numbers)
		patchProblems(&db)
		if links := linkList(&db, w); len(links) > 2 || len(links) == 2 && links[0].ID >= links[1].ID {
			t.Fatalf("links %v", links)
		}
		for _, port := range portList(&db) {
			if port.Name == "" || port.InterfaceID == "" {
				t.Fatalf("port %+v", port)
			}
		}
		if taken := 1<<30 - int(db.budget.left.Load()); taken != db.bytes {
			t.Fatalf("%d bytes taken, %d accounted", taken, db.bytes)
		}
		db.drop()
	})
}

func TestReplicaBounds(t *testing.T) {
	big := string(bytes.Repeat([]byte("x"), maxRowBytes))
	db := replica{}
	err := db.apply(json.RawMessage(`{"Port":{"` + uuidRoot + `":{"new":{"name":"` + big + `"}}}}`))
	if !errors.Is(err, errTooMuch) {
		t.Errorf("a row of %d bytes: %v", len(big), err)
	}
	db = replica{budget: newBudget(10)}
	if err := db.apply(json.RawMessage(rootUpdate("h1"))); !errors.Is(err, errBudget) {
		t.Errorf("beyond the budget: %v", err)
	}
	db = replica{budget: newBudget(1000)}
	for range 5 { // the same row again costs nothing more
		if err := db.apply(json.RawMessage(rootUpdate("h1"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.apply(json.RawMessage(`{"Open_vSwitch":{"` + uuidRoot + `":{"old":{}}}}`)); err != nil {
		t.Fatal(err)
	}
	if db.count() != 0 || db.bytes != 0 || db.budget.left.Load() != 1000 {
		t.Errorf("after deleting the row: %d rows, %d bytes, %d left", db.count(), db.bytes, db.budget.left.Load())
	}
}
