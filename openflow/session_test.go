package openflow

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustEncode(t testing.TB, f Flow) Entry {
	t.Helper()
	e, err := Encode(f)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestSession meets a real switch with everything but entries.
func TestSession(t *testing.T) {
	v := startOVS(t)
	c := v.connect()

	c.send(FeaturesRequest())
	f, err := DecodeFeaturesReply(c.await(TypeFeaturesReply))
	if err != nil || f.DatapathID != 0xaa || f.Tables != 254 {
		t.Errorf("features %+v, %v", f, err)
	}

	c.send(EchoRequest([]byte("dovetail")))
	if m := c.await(TypeEchoReply); string(m.Body) != "dovetail" || m.XID != c.xid {
		t.Errorf("echo reply %+v", m)
	}

	c.send(RoleRequest(RoleMaster, 5))
	role, generation, err := DecodeRoleReply(c.await(TypeRoleReply))
	if err != nil || role != RoleMaster || generation != 5 {
		t.Errorf("role %v, generation %d, %v", role, generation, err)
	}
	if e := c.refused(RoleRequest(RoleMaster, 4)); !strings.Contains(e.Error(), "OFPRRFC_STALE") {
		t.Errorf("a stale generation id: %v", e)
	}

	ports, err := DecodePortDescs(slices.Concat(c.multipart(PortDescRequest())...))
	if err != nil || len(ports) != 3 {
		t.Errorf("ports %+v, %v", ports, err)
	}

	c.must(SetConfig(65535))
	v.vsctl("add-port", "br0", "p3", "--", "set", "interface", "p3", "type=dummy", "ofport_request=3")
	p, err := DecodePortStatus(c.await(TypePortStatus))
	if err != nil || p.Port != 3 || p.Name != "p3" || p.Reason != PortAdded {
		t.Errorf("port status %+v, %v", p, err)
	}
}

// TestNewerSwitch talks to a bridge that would rather speak OpenFlow 1.5.
func TestNewerSwitch(t *testing.T) {
	v := startOVS(t)
	v.vsctl("set", "bridge", "br0", "protocols=OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15")
	c := v.connect()
	c.send(FeaturesRequest())
	if f, err := DecodeFeaturesReply(c.await(TypeFeaturesReply)); err != nil || f.DatapathID != 0xaa {
		t.Errorf("features %+v, %v", f, err)
	}
}

// TestForeignFlow: a flow with our cookie, match and actions is still not ours
// when somebody gave it a timeout or a flag.
func TestForeignFlow(t *testing.T) {
	v := startOVS(t)
	c := v.connect()
	e := mustEncode(t, Flow{Table: 1, Priority: 5, Cookie: 0x12, Actions: []Action{Output{1}}})
	for text, ours := range map[string]bool{
		"": true, "idle_timeout=100,": false, "hard_timeout=100,": false, "send_flow_rem,": false, "check_overlap,": true,
	} {
		v.ofctl("del-flows", "br0")
		v.ofctl("add-flow", "br0", "cookie=0x12,table=1,priority=5,"+text+"actions=output:1")
		sum, ok := c.reported()[e.ID]
		if !ok || (sum == e.Sum) != ours {
			t.Errorf("%q: reported %v, as ours %v", text, ok, sum == e.Sum)
		}
	}
}

// TestPacketIn has a packet come in by a port, pass a register and reach us, and
// sends one out.
func TestPacketIn(t *testing.T) {
	v := startOVS(t)
	c := v.connect()
	c.must(SetConfig(65535),
		mustEncode(t, Flow{Table: 0, Priority: 1, Cookie: 7, Match: Match{InPort.Uint(1)},
			Actions: []Action{SetField{Reg5.Uint(0xabcd)}, SetField{TunID.Uint(77)}, SetField{TunIPv4Src.Addr(ip("192.0.2.1"))}}, Goto: 9}).Add,
		mustEncode(t, Flow{Table: 9, Priority: 1, Cookie: 8, Actions: []Action{ToController{20}}}).Add)
	frame := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xcc}, bytes.Repeat([]byte{0x5a}, 60)...)
	out, err := PacketOut(1, []Action{Output{0xfffffff9}}, frame) // through the tables
	if err != nil {
		t.Fatal(err)
	}
	c.must(out)
	in, err := DecodePacketIn(c.await(TypePacketIn))
	if err != nil {
		t.Fatal(err)
	}
	in.Data = bytes.Clone(in.Data)
	want := PacketIn{Reason: 1, Table: 9, Cookie: 8, Data: frame, // all of it: see ToController
		Fields: Match{InPort.Uint(1), TunID.Uint(77), TunIPv4Src.Addr(ip("192.0.2.1")), Reg5.Uint(0xabcd)}}
	if diff := cmp.Diff(want, in, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("packet-in differs (-want +got):\n%s", diff)
	}
}

// TestDelete deletes by cookie and by match, and leaves all else.
func TestDelete(t *testing.T) {
	c := startOVS(t).connect()
	a := mustEncode(t, Flow{Table: 1, Priority: 1, Cookie: 1, Match: Match{Reg0.Uint(1)}})
	b := mustEncode(t, Flow{Table: 1, Priority: 1, Cookie: 2, Match: Match{Reg0.Uint(2)}})
	other := mustEncode(t, Flow{Table: 2, Priority: 1, Cookie: 1, Match: Match{Reg0.Uint(1)}})
	broad := mustEncode(t, Flow{Table: 1, Priority: 1, Cookie: 3})
	c.must(a.Add, b.Add, other.Add, broad.Add)
	c.must(Delete(a.ID))
	if diff := cmp.Diff(sums([]Entry{b, other, broad}), c.reported()); diff != "" {
		t.Errorf("after deletion by cookie (-want +got):\n%s", diff)
	}
	for _, s := range c.flows() {
		if s.ID == broad.ID {
			c.must(DeleteFlowStrict(s.ID.Table, s.ID.Priority, s.Match))
		}
	}
	if diff := cmp.Diff(sums([]Entry{b, other}), c.reported()); diff != "" {
		t.Errorf("after deletion by match (-want +got):\n%s", diff)
	}
	group, err := EncodeGroup(Group{ID: 1, Buckets: []Bucket{{Actions: []Action{Output{1}}}}})
	if err != nil {
		t.Fatal(err)
	}
	changed, err := EncodeGroup(Group{ID: 1, Buckets: []Bucket{{Actions: []Action{Output{2}}}}})
	if err != nil {
		t.Fatal(err)
	}
	c.must(group.Add, Modify(changed))
	if got := c.reported()[group.ID]; got != changed.Sum {
		t.Errorf("the group was not modified")
	}
}

// TestRefusals reads a real switch's errors.
func TestRefusals(t *testing.T) {
	c := startOVS(t).connect()
	unknownGroup := mustEncode(t, Flow{Table: 1, Actions: []Action{ToGroup{99}}}).Add
	meter, err := EncodeMeter(Meter{ID: 1, Rate: 1})
	if err != nil {
		t.Fatal(err)
	}
	noPrereq := mustEncode(t, Flow{Table: 1, Match: Match{v4, IPv4Src.Addr(ip("10.0.0.1"))}}).Add
	noPrereq[0x38], noPrereq[0x39] = 0x88, 0xcc // the ethertype
	truncated := bytes.Clone(unknownGroup)
	truncated[3] -= 8
	for _, test := range []struct {
		name string
		msg  []byte
		want string
	}{
		{"unknown group", unknownGroup, "bad action: no such group (OFPBAC_BAD_OUT_GROUP)"},
		{"prerequisite", noPrereq, "bad match: a field lacks its prerequisite (OFPBMC_BAD_PREREQ)"},
		{"truncated", truncated[:len(truncated)-8], "bad instruction: wrong length (OFPBIC_BAD_LEN)"},
		{"unknown type", message(99), "bad request: message type not supported (OFPBRC_BAD_TYPE)"},
		{"bundle that is not open", BundleCommit(5, 0), "bundle failed: no such bundle (ONFBFC_BAD_ID)"},
		{"meter in a bundle", AppendBundleAdd(nil, 1, BundleOrdered, meter.Add), "bundle failed: a message that cannot be in a bundle (ONFBFC_MSG_UNSUP)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := c.refused(test.msg)
			if e.Error() != test.want {
				t.Errorf("got  %v\nwant %s", e, test.want)
			}
			if e.XID != c.xid-1 || !bytes.HasPrefix(test.msg[8:], e.Data[8:min(len(e.Data), 16)]) {
				t.Errorf("the error is not of the message that was sent: %+v", e)
			}
		})
	}
}

// TestBundleRefused has a bundle fail: the switch names the message at fault by
// its transaction id, then refuses the commit, and does nothing.
func TestBundleRefused(t *testing.T) {
	c := startOVS(t).connect()
	good := mustEncode(t, Flow{Table: 1, Priority: 1})
	bad := mustEncode(t, Flow{Table: 1, Priority: 2, Actions: []Action{ToGroup{99}}})
	const id, flags = 3, BundleOrdered
	got := c.do(BundleOpen(id, flags), AppendBundleAdd(nil, id, flags, good.Add),
		AppendBundleAdd(nil, id, flags, bad.Add), BundleCommit(id, flags))
	barrier := c.xid
	var errs []string
	var xids []uint32
	for _, m := range got {
		if m.Type == TypeError {
			errs = append(errs, c.errorOf(m).Error())
			xids = append(xids, m.XID)
		}
	}
	want := []string{"bad action: no such group (OFPBAC_BAD_OUT_GROUP)", "bundle failed: a message in it was refused (ONFBFC_MSG_FAILED)"}
	if !slices.Equal(errs, want) || !slices.Equal(xids, []uint32{barrier - 2, barrier - 1}) {
		t.Errorf("errors %q of xids %d, want %q of %d and %d", errs, xids, want, barrier-2, barrier-1)
	}
	if got := c.reported(); len(got) > 0 {
		t.Errorf("the bundle had an effect: %v", got)
	}
}

// TestBundleFlags finds out which flags Open vSwitch takes.
func TestBundleFlags(t *testing.T) {
	c := startOVS(t).connect()
	for flags := range uint16(4) {
		id := uint32(flags) + 1
		flow := mustEncode(t, Flow{Table: 1, Priority: flags, Cookie: uint64(id)})
		c.must(BundleOpen(id, flags), AppendBundleAdd(nil, id, flags, flow.Add), BundleCommit(id, flags))
		if _, ok := c.reported()[flow.ID]; !ok {
			t.Errorf("flags %d: the flow is not there", flags)
		}
	}
	e := mustEncode(t, Flow{Table: 2})
	c.must(BundleOpen(9, BundleOrdered))
	if err := c.refused(AppendBundleAdd(nil, 9, 0, e.Add)); !strings.Contains(err.Error(), "BAD_FLAGS") {
		t.Errorf("other flags than at opening: %v", err)
	}
	c.must(BundleOpen(10, BundleOrdered), AppendBundleAdd(nil, 10, BundleOrdered, e.Add), BundleDiscard(10, BundleOrdered))
	if _, ok := c.reported()[e.ID]; ok {
		t.Error("a discarded bundle had an effect")
	}
}

// TestFlowMonitor hears of the changes that somebody else makes.
func TestFlowMonitor(t *testing.T) {
	v := startOVS(t)
	c := v.connect()
	c.must(FlowMonitorRequest(1))
	if len(c.seen) != 1 || c.seen[0].Type != TypeMultipartReply || c.seen[0].XID != c.xid-1 || len(c.seen[0].Body) != 16 {
		t.Errorf("a request for a monitor is answered with %+v, want an empty reply", c.seen)
	}
	c.seen = nil
	other := v.connect()
	flow := Flow{Table: 1, Priority: 5, Cookie: 0x1234, Match: Match{Reg0.Uint(1)}, Actions: []Action{Output{1}}}
	e := mustEncode(t, flow)
	changed := flow
	changed.Actions = []Action{Output{2}}
	changedEntry := mustEncode(t, changed)
	ours := flow
	ours.Cookie, ours.Table = 0x99, 2

	// One after the other, or the switch reports what they add up to.
	updates := func() []FlowUpdate {
		t.Helper()
		var all []FlowUpdate
		for _, m := range append(c.seen, c.do()...) {
			if m.Type != TypeMultipartReply {
				t.Fatalf("unexpected message %+v", m)
			}
			p, err := DecodeMultipart(m)
			if err != nil || !p.IsFlowMonitor() {
				t.Fatalf("unexpected %+v, %v", p, err)
			}
			u, err := DecodeFlowUpdates(p.Body)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, u...)
		}
		c.seen = nil
		return all
	}
	one := func(event UpdateEvent, id ID, sum uint64) {
		t.Helper()
		u := updates()
		if len(u) != 1 || u[0].Event != event || u[0].ID != id || u[0].Sum != sum {
			t.Errorf("got %+v, want event %d of %v with sum %d", u, event, id, sum)
		}
	}
	other.must(e.Add)
	one(UpdateAdded, e.ID, e.Sum)
	other.must(changedEntry.Add)
	one(UpdateAdded, e.ID, changedEntry.Sum) // replaced by adding it again
	v.ofctl("--strict", "mod-flows", "br0", "table=1,priority=5,reg0=1,actions=output:1")
	one(UpdateModified, e.ID, e.Sum)
	v.ofctl("del-flows", "br0", "table=1")
	one(UpdateDeleted, e.ID, 0)

	c.must(mustEncode(t, ours).Add)
	xid := c.xid - 1
	if u := updates(); len(u) != 1 || u[0].Event != UpdateAbbrev || u[0].XID != xid {
		t.Errorf("our own flow-mod: %+v, want an abbreviated update of xid %d", u, xid)
	}
}

// TestFlowMonitorBundle: our own bundle comes abbreviated too, all of it as one
// update with the transaction id of its first message.
func TestFlowMonitorBundle(t *testing.T) {
	c := startOVS(t).connect()
	c.must(FlowMonitorRequest(1))
	a := mustEncode(t, Flow{Table: 1, Priority: 1, Cookie: 1})
	b := mustEncode(t, Flow{Table: 1, Priority: 2, Cookie: 2})
	got := c.do(BundleOpen(1, BundleOrdered), AppendBundleAdd(nil, 1, BundleOrdered, a.Add),
		AppendBundleAdd(nil, 1, BundleOrdered, b.Add), BundleCommit(1, BundleOrdered))
	var xids []uint32
	for _, m := range got {
		if m.Type != TypeMultipartReply {
			continue
		}
		p, err := DecodeMultipart(m)
		if err != nil {
			t.Fatal(err)
		}
		updates, err := DecodeFlowUpdates(p.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range updates {
			if u.Event != UpdateAbbrev {
				t.Errorf("not abbreviated: %+v", u)
			}
			xids = append(xids, u.XID)
		}
	}
	if want := []uint32{c.xid - 3}; !slices.Equal(xids, want) {
		t.Errorf("updates of xids %d, want %d", xids, want)
	}
}

// TestFlowMonitorPause lets a switch run ahead of a reader that does not read, and
// expects to know in the end of every flow all the same.
func TestFlowMonitorPause(t *testing.T) {
	v := startOVS(t)
	c := v.connect()
	c.must(FlowMonitorRequest(1))
	other := v.connect()
	const n = 20000
	var stream []byte
	for i := range n {
		stream = append(stream, mustEncode(t, Flow{Table: 1, Priority: 1, Cookie: uint64(i), Match: Match{Reg0.Uint(uint64(i))}}).Add...)
	}
	if _, err := other.conn.Write(stream); err != nil {
		t.Fatal(err)
	}
	other.do()
	known := make(map[ID]bool)
	paused, resumed := false, false
	for len(known) < n {
		m := c.next()
		switch {
		case MonitorPaused(m):
			paused = true
		case MonitorResumed(m):
			resumed = true
		case m.Type == TypeMultipartReply:
			p, err := DecodeMultipart(m)
			if err != nil {
				t.Fatal(err)
			}
			u, err := DecodeFlowUpdates(p.Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range u {
				known[u.ID] = true
			}
		}
	}
	if !resumed {
		c.await(TypeExperimenter)
	}
	if !paused {
		t.Error("the switch did not pause")
	}
}
