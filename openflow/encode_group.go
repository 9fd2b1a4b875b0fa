package openflow

import (
	"bytes"
	"fmt"

	"github.com/cespare/xxhash/v2"
	of "github.com/contiv/libOpenflow/openflow13"
)

// Lengths before the buckets of a group-mod, the bands of a meter-mod, and the
// actions of a bucket.
const (
	groupModHead = 16
	meterModHead = 16
	bucketHead   = 16
	meterBandLen = 16
)

// maxGroup and maxMeter are the highest ids (OpenFlow 1.3.5, A.3.4.2 and A.3.4.4).
const (
	maxGroup = 0xffffff00
	maxMeter = 0xffff0000
)

// EncodeGroup puts a group into wire form.
func EncodeGroup(g Group) (Entry, error) {
	e, err := encodeGroup(g)
	if err != nil {
		return Entry{}, fmt.Errorf("encode group %d: %w", g.ID, err)
	}
	return e, nil
}

func encodeGroup(g Group) (Entry, error) {
	if g.ID > maxGroup {
		return Entry{}, fmt.Errorf("the highest id is %d", uint32(maxGroup))
	}
	if g.Type > GroupFastFailover {
		return Entry{}, fmt.Errorf("unknown type %d", g.Type)
	}
	if g.Type == GroupIndirect && len(g.Buckets) != 1 {
		return Entry{}, fmt.Errorf("an indirect group has one bucket, not %d", len(g.Buckets))
	}
	mod := of.NewGroupMod()
	mod.Xid = 0
	mod.GroupId = g.ID
	mod.Type = uint8(g.Type)
	size := groupModHead
	for i, b := range g.Buckets {
		bucket, n, err := encodeBucket(g.Type, b)
		if err != nil {
			return Entry{}, fmt.Errorf("bucket %d: %w", i+1, err)
		}
		if size += n; size > maxEntry {
			return Entry{}, tooLong(size)
		}
		mod.AddBucket(bucket)
	}
	add, err := mod.MarshalBinary()
	if err != nil {
		return Entry{}, err
	}
	id := ID{Kind: EntryGroup, Number: g.ID}
	return Entry{ID: id, Sum: groupSum(uint8(g.Type), add[groupModHead:]), Add: add}, nil
}

// groupSum hashes a group's type and buckets.
func groupSum(groupType uint8, buckets []byte) uint64 {
	return xxhash.Sum64(buckets) ^ (uint64(groupType)+1)*0x9e3779b97f4a7c15
}

// EncodeMeter puts a meter into wire form.
func EncodeMeter(m Meter) (Entry, error) {
	if m.ID == 0 || m.ID > maxMeter {
		return Entry{}, fmt.Errorf("encode meter %d: ids go from 1 to %d", m.ID, uint32(maxMeter))
	}
	mod := of.NewMeterMod()
	mod.Xid = 0
	mod.MeterId = m.ID
	mod.Flags = m.flags()
	band := &of.MeterBandDrop{MeterBandHeader: *of.NewMeterBandHeader()}
	band.Type = of.OFPMBT13_DROP
	band.Rate, band.BurstSize = m.Rate, m.Burst
	mod.AddMeterBand(band)
	add, err := mod.MarshalBinary()
	if err != nil {
		return Entry{}, fmt.Errorf("encode meter %d: %w", m.ID, err)
	}
	id := ID{Kind: EntryMeter, Number: m.ID}
	return Entry{ID: id, Sum: meterSum(mod.Flags, add[meterModHead:]), Add: add}, nil
}

func (m Meter) flags() uint16 {
	flags := uint16(of.OFPMF13_PKTPS)
	if m.KBPS {
		flags = of.OFPMF13_KBPS
	}
	if m.Burst != 0 {
		flags |= of.OFPMF13_BURST
	}
	return flags
}

// meterSum hashes a meter's flags and bands. When the flags say that there is no
// burst size, what stands in its place does not count: Open vSwitch puts one of
// its own there.
func meterSum(flags uint16, bands []byte) uint64 {
	if flags&of.OFPMF13_BURST == 0 && len(bands) >= meterBandLen {
		bands = bytes.Clone(bands)
		for b := bands; len(b) >= meterBandLen; b = b[meterBandLen:] {
			clear(b[8:12])
		}
	}
	return xxhash.Sum64(bands) ^ (uint64(flags)+1)*0x9e3779b97f4a7c15
}
