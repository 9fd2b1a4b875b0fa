package openflow

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestReader(t *testing.T) {
	long := message(TypeEchoRequest, make([]byte, MaxMessage-headerLen)...)
	msgs := [][]byte{Hello(), EchoRequest([]byte("x")), long, BarrierRequest(), encodeOne(t), long, FeaturesRequest()}
	stream := bytes.Join(msgs, nil)
	for name, r := range map[string]io.Reader{
		"all at once": bytes.NewReader(stream),
		"by the byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves":      iotest.HalfReader(bytes.NewReader(stream)),
		"with EOF":    iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			reader := NewReader(r)
			for i, want := range msgs {
				m, err := reader.Next()
				if err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if m.Type != Type(want[1]) || !bytes.Equal(m.Body, want[8:]) {
					t.Fatalf("message %d: got type %d and %d bytes", i, m.Type, len(m.Body))
				}
			}
			if _, err := reader.Next(); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func encodeOne(t *testing.T) []byte {
	return mustEncode(t, Flow{Table: 1, Actions: []Action{Output{1}}}).Add
}

func TestReaderErrors(t *testing.T) {
	for name, test := range map[string]struct {
		in   string
		want error
	}{
		"nothing":           {"", io.EOF},
		"part of a header":  {"\x04\x00\x00", io.ErrUnexpectedEOF},
		"header only":       {"\x04\x00\x00\x09\x00\x00\x00\x00", io.ErrUnexpectedEOF},
		"part of a body":    {"\x04\x00\x00\x0b\x00\x00\x00\x00\x01", io.ErrUnexpectedEOF},
		"second cut short":  {"\x04\x00\x00\x08\x00\x00\x00\x00\x04", io.ErrUnexpectedEOF},
		"length 0":          {"\x04\x00\x00\x00\x00\x00\x00\x00", nil},
		"length 7":          {"\x04\x00\x00\x07\x00\x00\x00\x00", nil},
		"longest cut short": {"\x04\x00\xff\xff\x00\x00\x00\x00", io.ErrUnexpectedEOF},
	} {
		r := NewReader(bytes.NewReader([]byte(test.in)))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestSetXID(t *testing.T) {
	e := encodeOne(t)
	b := AppendBundleAdd([]byte("before"), 9, BundleOrdered, e)[6:]
	SetXID(b, 0x01020304)
	m, err := ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	id, flags, inner, ok := DecodeBundleAdd(m)
	if !ok || id != 9 || flags != BundleOrdered || m.XID != 0x01020304 || inner.XID != 0x01020304 || !bytes.Equal(inner.Body, e[8:]) {
		t.Errorf("bundle-add %d %d %+v %v", id, flags, inner, ok)
	}
	if be.Uint32(e[4:]) != 0 {
		t.Error("SetXID changed the entry that was wrapped")
	}
	SetXID([]byte{1, 2}, 5) // too short: nothing happens
}

func BenchmarkDecodeFlowStats(b *testing.B) {
	var body []byte
	for _, s := range samples {
		e := mustEncode(b, s.flow)
		m, err := ParseMessage(e.Add)
		if err != nil {
			b.Fatal(err)
		}
		mod, err := DecodeFlowMod(m)
		if err != nil {
			b.Fatal(err)
		}
		body = AppendFlowStat(body, FlowStat{ID: mod.ID, Match: mod.Match, Instructions: mod.Instructions})
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeFlowStats(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBundleAdd(b *testing.B) {
	e := mustEncode(b, benchmarkFlow())
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendBundleAdd(buf[:0], 1, BundleOrdered, e.Add)
		SetXID(buf, 7)
	}
}
