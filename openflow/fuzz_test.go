package openflow

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "capture the fuzz seeds from a real switch again")

// FuzzReader reads any bytes as a stream.
func FuzzReader(f *testing.F) {
	f.Add(bytes.Join([][]byte{Hello(), BarrierRequest(), FlowStatsRequest()}, nil))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream))
		total := 0
		for {
			m, err := r.Next()
			if err != nil {
				break
			}
			total += headerLen + len(m.Body)
		}
		if total > len(stream) {
			t.Errorf("%d bytes of messages in %d", total, len(stream))
		}
		if len(r.buf) > MaxMessage+1 {
			t.Errorf("a buffer of %d bytes", len(r.buf))
		}
	})
}

// FuzzDecode gives a message to every decoder. What can be decoded must print,
// and what can be encoded again must decode to the same.
func FuzzDecode(f *testing.F) {
	for _, m := range [][]byte{Hello(), DeleteFlow(1, 2), DeleteGroup(1), FlowMonitorRequest(1), RoleRequest(RoleMaster, 1)} {
		f.Add(m)
	}
	for _, e := range encodeSamples(f) {
		f.Add(e.Add)
		f.Add(AppendBundleAdd(nil, 1, BundleOrdered, e.Add))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		NegotiateVersion(m)
		if e, err := DecodeError(m); err == nil && e.Error() == "" {
			t.Error("an error without words")
		}
		DecodeFeaturesReply(m)
		DecodePortStatus(m)
		DecodeRoleReply(m)
		DecodeFlowRemoved(m)
		DecodeBundleControl(m)
		DecodeGroupMod(m)
		DecodeMeterMod(m)
		MonitorPaused(m)
		if p, err := DecodePacketIn(m); err == nil {
			_ = p.Fields.String()
		}
		if p, err := DecodeMultipart(m); err == nil {
			decodeMultipartBody(t, p.Body)
		}
		decodeMod(t, m)
		if _, _, inner, ok := DecodeBundleAdd(m); ok {
			decodeMod(t, inner)
		}
	})
}

// decodeMultipartBody gives a body to each decoder, whatever its type.
func decodeMultipartBody(t *testing.T, body []byte) {
	DecodeGroupDescs(body)
	DecodeMeterConfigs(body)
	DecodePortDescs(body)
	if groups, err := DecodeGroups(body); err == nil {
		for _, g := range groups {
			_ = g.String()
		}
	}
	if updates, err := DecodeFlowUpdates(body); err == nil {
		for _, u := range updates {
			if u.Event != UpdateAbbrev {
				decodeAndEncode(t, u.ID, u.Match, u.Instructions)
			}
		}
	}
	if stats, err := DecodeFlowStats(body); err == nil {
		for _, s := range stats {
			DeleteFlowStrict(s.ID.Table, s.ID.Priority, s.Match)
			decodeAndEncode(t, s.ID, s.Match, s.Instructions)
		}
	}
}

func decodeMod(t *testing.T, m Message) {
	if mod, err := DecodeFlowMod(m); err == nil {
		decodeAndEncode(t, mod.ID, mod.Match, mod.Instructions)
	}
}

func decodeAndEncode(t *testing.T, id ID, match, instructions []byte) {
	f, err := DecodeFlow(id, match, instructions)
	if err != nil {
		return
	}
	text := f.String()
	e, err := Encode(f)
	if err != nil {
		return
	}
	m, err := ParseMessage(e.Add)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := DecodeFlowMod(m)
	if err != nil {
		t.Fatalf("what Encode made of %s: %v", text, err)
	}
	again, err := DecodeFlow(mod.ID, mod.Match, mod.Instructions)
	if err != nil || again.String() != text {
		t.Fatalf("%s decodes again as %v, %v", text, again, err)
	}
}

// TestFuzzSeeds checks that the seeds in testdata are what a switch sends: each
// decodes. With -update it captures them.
func TestFuzzSeeds(t *testing.T) {
	dir := filepath.Join("testdata", "fuzz", "FuzzDecode")
	if *update {
		captureSeeds(t, dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "ovs-*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseMessage(seedBytes(t, b))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := decodeByType(m); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// seedBytes is the message in a seed file.
func seedBytes(t *testing.T, file []byte) []byte {
	t.Helper()
	var raw []byte
	_, line, _ := strings.Cut(string(file), "\n")
	if _, err := fmt.Sscanf(line, "[]byte(%q)", &raw); err != nil {
		t.Fatalf("read seed: %v", err)
	}
	return raw
}

// decodeByType is how a session picks the decoder.
func decodeByType(m Message) (err error) {
	switch m.Type {
	case TypeError:
		_, err = DecodeError(m)
	case TypeFeaturesReply:
		_, err = DecodeFeaturesReply(m)
	case TypePacketIn:
		_, err = DecodePacketIn(m)
	case TypePortStatus:
		_, err = DecodePortStatus(m)
	case TypeRoleReply:
		_, _, err = DecodeRoleReply(m)
	case TypeFlowRemoved:
		_, err = DecodeFlowRemoved(m)
	case TypeExperimenter:
		if _, ok := DecodeBundleControl(m); !ok && !MonitorPaused(m) && !MonitorResumed(m) {
			err = fmt.Errorf("unknown experimenter message")
		}
	case TypeMultipartReply:
		var p Multipart
		if p, err = DecodeMultipart(m); err != nil {
			return err
		}
		switch {
		case p.Type == MultipartFlow:
			_, err = DecodeFlowStats(p.Body)
		case p.Type == MultipartGroupDesc:
			_, err = DecodeGroups(p.Body)
		case p.Type == MultipartMeterConfig:
			_, err = DecodeMeterConfigs(p.Body)
		case p.Type == MultipartPortDesc:
			_, err = DecodePortDescs(p.Body)
		case p.IsFlowMonitor():
			_, err = DecodeFlowUpdates(p.Body)
		}
	}
	return err
}

// captureSeeds has a switch send one of each message.
func captureSeeds(t *testing.T, dir string) {
	v := startOVS(t)
	c := v.connect()
	other := v.connect()
	var got []Message
	keep := func(msgs ...[]byte) { got = append(got, c.do(msgs...)...) }
	keep(FeaturesRequest(), RoleRequest(RoleEqual, 0), SetConfig(65535), PortDescRequest(), FlowMonitorRequest(1))
	for i, e := range encodeSamples(t) {
		if other.must(e.Add); i == 12 {
			c.do(FlowMonitorCancel(1)) // a few updates are enough
		}
	}
	keep(GroupDescRequest(), MeterConfigRequest(), BundleOpen(1, 0), BundleCommit(1, 0), BundleCommit(2, 0), message(99))
	for table := range uint8(32) {
		keep(FlowStatsRequestTable(table))
	}
	out, err := PacketOut(1, []Action{SetField{Reg1.Uint(1)}, SetField{TunID.Uint(5)}, ToController{100}}, bytes.Repeat([]byte{2}, 60))
	if err != nil {
		t.Fatal(err)
	}
	keep(out)
	got = append(got, c.await(TypePacketIn))
	timed := mustEncode(t, Flow{Table: 50, Cookie: 5}).Add
	timed[45] |= 1 // send-flow-removed
	keep(timed, DeleteFlow(50, 5))
	got = append(got, c.await(TypeFlowRemoved))
	v.vsctl("add-port", "br0", "p4", "--", "set", "interface", "p4", "type=dummy")
	got = append(got, c.await(TypePortStatus))

	old, _ := filepath.Glob(filepath.Join(dir, "ovs-*"))
	for _, file := range old {
		os.Remove(file)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, m := range got {
		raw := message(m.Type, m.Body...)
		if len(m.Body) <= 24 && m.Type == TypeMultipartReply { // an empty one
			continue
		}
		text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n", raw)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("ovs-%02d-type%d", i, m.Type)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
