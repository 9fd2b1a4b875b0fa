package openflow

import (
	"errors"
	"fmt"

	of "github.com/contiv/libOpenflow/openflow13"
)

func encodeBucket(t GroupType, b Bucket) (of.Bucket, int, error) {
	if err := b.check(t); err != nil {
		return of.Bucket{}, 0, err
	}
	bucket := of.NewBucket()
	bucket.Weight = b.Weight
	if b.WatchPort != 0 {
		bucket.WatchPort = b.WatchPort
	}
	actions, n, err := encodeActions(b.Actions, nil)
	if err != nil {
		return of.Bucket{}, 0, err
	}
	if bucketHead+n > maxEntry {
		return of.Bucket{}, 0, tooLong(bucketHead + n)
	}
	bucket.Actions = actions
	return *bucket, bucketHead + n, nil
}

// check refuses what a switch refuses, and what it would do otherwise than it is
// written.
func (b Bucket) check(t GroupType) error {
	switch {
	case t != GroupSelect && b.Weight != 0:
		return errors.New("only buckets of a select group have a weight")
	case t == GroupFastFailover && b.WatchPort == 0:
		return errors.New("buckets of a fast failover group watch a port")
	case t != GroupFastFailover && t != GroupSelect && b.WatchPort != 0:
		return errors.New("only buckets of a fast failover or select group watch a port")
	case b.WatchPort >= maxPort:
		return fmt.Errorf("%d is no port to watch", b.WatchPort)
	}
	before := -1
	for i, a := range b.Actions {
		place := placeInSet(a)
		if place == placeNone {
			return fmt.Errorf("action %d: a bucket leaves out %s", i+1, ActionsString([]Action{a}))
		}
		if place < before || place == before && place != placeSet {
			return fmt.Errorf("action %d: a bucket cannot run %s after %s", i+1,
				ActionsString([]Action{a}), ActionsString(b.Actions[i-1:i]))
		}
		before = place
	}
	return nil
}

// The order in which Open vSwitch runs the actions of a bucket, which are an action
// set (OpenFlow 1.3.5, 5.10). Only what sets fields keeps its order and can be there
// more than once. Of what sends the packet on, one is kept and it comes last.
const (
	placePopVLAN = iota
	placePushVLAN
	placeDecTTL
	placeSet
	placeLast
	placeNone // left out
)

func placeInSet(a Action) int {
	switch a.(type) {
	case PopVLAN:
		return placePopVLAN
	case PushVLAN:
		return placePushVLAN
	case DecTTL:
		return placeDecTTL
	case SetField, Load, Move:
		return placeSet
	case CTClear, CheckPktLarger, Conjunction:
		return placeNone
	}
	return placeLast
}
