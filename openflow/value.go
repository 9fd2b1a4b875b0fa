package openflow

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
)

// Uint is an exact value, for fields of up to 64 bits. Bits of v beyond the
// field's width are ignored.
func (f Field) Uint(v uint64) FieldValue { return f.UintMask(v, ^uint64(0)) }

// UintMask is a value under a mask, for fields of up to 64 bits. Bits beyond
// the field's width are ignored, and so are bits of v outside mask.
func (f Field) UintMask(v, mask uint64) FieldValue {
	info := f.info()
	if info.bytes > 8 || !f.valid() {
		panic(fmt.Sprintf("openflow: %v cannot hold an integer", f))
	}
	if info.bits < 64 {
		mask &= 1<<info.bits - 1
	}
	v &= mask
	fv := FieldValue{Field: f}
	putUint(fv.Value[:info.bytes], v)
	putUint(fv.Mask[:info.bytes], mask)
	return fv
}

// MAC is an exact Ethernet address.
func (f Field) MAC(mac [6]byte) FieldValue {
	return f.MACMask(mac, [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
}

// MACMask is an Ethernet address under a mask.
func (f Field) MACMask(mac, mask [6]byte) FieldValue {
	return f.masked(mac[:], mask[:])
}

// Addr is an exact IP address. An IPv4 address in a 128-bit field (or the
// reverse) is a programming error and panics.
func (f Field) Addr(a netip.Addr) FieldValue { return f.Prefix(netip.PrefixFrom(a, a.BitLen())) }

// Prefix is an IP prefix. Bits of the address beyond the prefix are ignored. A
// family that does not fit the field is a programming error and panics.
func (f Field) Prefix(p netip.Prefix) FieldValue {
	if !p.IsValid() {
		panic(fmt.Sprintf("openflow: no valid address for %v", f))
	}
	var mask [16]byte
	for i := range p.Bits() {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return f.masked(p.Addr().AsSlice(), mask[:p.Addr().BitLen()/8])
}

// Bytes is a value under a mask, both as long as the field; for wide fields
// such as ct_label. A wrong length is a programming error and panics.
func (f Field) Bytes(v, mask []byte) FieldValue { return f.masked(v, mask) }

func (f Field) masked(v, mask []byte) FieldValue {
	if !f.valid() || len(v) != f.info().bytes || len(mask) != f.info().bytes {
		panic(fmt.Sprintf("openflow: a value of %d bytes for %v", len(v), f))
	}
	fv := FieldValue{Field: f}
	full := f.fullMask()
	for i := range v {
		fv.Mask[i] = mask[i] & full[i]
		fv.Value[i] = v[i] & fv.Mask[i]
	}
	return fv
}

// fullMasks has a one for each bit of each field.
var fullMasks = func() (masks [numFields][16]byte) {
	for f := InPort; f < numFields; f++ {
		info := f.info()
		spare := info.bytes*8 - info.bits
		for i := range info.bits {
			bit := spare + i
			masks[f][bit/8] |= 0x80 >> (bit % 8)
		}
	}
	return masks
}()

func (f Field) fullMask() [16]byte {
	if !f.valid() {
		return [16]byte{}
	}
	return fullMasks[f]
}

// Uint64 is the value as an integer; of a wide field, its last 64 bits.
func (v FieldValue) Uint64() uint64 { return lastUint(v.Value[:v.Field.info().bytes]) }

// IsExact says whether the mask has all bits of the field.
func (v FieldValue) IsExact() bool { return v.Mask == v.Field.fullMask() }

func (v *FieldValue) value() []byte { return v.Value[:v.Field.info().bytes] }
func (v *FieldValue) mask() []byte  { return v.Mask[:v.Field.info().bytes] }

// prefixLen is the length of the mask if it is that of a prefix.
func prefixLen(mask []byte) (n int, ok bool) {
	for i, b := range mask {
		if b == 0xff {
			n += 8
			continue
		}
		ones := bits.LeadingZeros8(^b)
		if b<<ones != 0 {
			return 0, false
		}
		for _, rest := range mask[i+1:] {
			if rest != 0 {
				return 0, false
			}
		}
		return n + ones, true
	}
	return n, true
}

func putUint(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte(v)
		v >>= 8
	}
}

func lastUint(b []byte) uint64 {
	if len(b) > 8 {
		return binary.BigEndian.Uint64(b[len(b)-8:])
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
