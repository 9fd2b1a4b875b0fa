package pipeline

import "github.com/dovetail-sdn/dovetail/openflow"

// This file reads what the flows of a chain have counted. It knows how chain.go and hop.go
// write them.

// ChainEvent is what happened to the packets that a flow of a chain has counted.
type ChainEvent int

// The events.
const (
	// ChainEntered: they began their way. The position's hop is the first of the direction.
	ChainEntered ChainEvent = iota
	// ChainGiven: they were given to an instance, on its host.
	ChainGiven
	// ChainChosen: an instance was chosen for them, mostly once a connection, on the host
	// that sends to it. Not where there is one instance only.
	ChainChosen
	// ChainFailed: no instance could take them.
	ChainFailed
)

// ChainCount says what a flow of a chain counts. It is comparable.
type ChainCount struct {
	Event    ChainEvent
	Position Position
	// Instance is the number of the instance, 0 for ChainEntered and ChainFailed.
	Instance int
}

// CountingTables are the tables that have flows which ReadChainFlow knows.
func CountingTables() []uint8 {
	return []uint8{TableSteer, TableDirection, TablePin, TableAccept, TableFailed}
}

// ReadChainFlow says what a flow counts that Steer or Accept made; ok is false for one that
// counts nothing of interest, or what another one counts already.
func ReadChainFlow(f openflow.Flow) (c ChainCount, ok bool) {
	at, known := matchedPosition(f.Match)
	switch f.Table {
	case TableSteer, TableDirection:
		// What connection tracking has a say in is counted behind it.
		if loaded, isLoaded := loadedPosition(f.Actions); isLoaded {
			at, known = loaded, true
		}
		return ChainCount{Event: ChainEntered, Position: at}, known && f.Goto == TableBegin
	case TableFailed:
		return ChainCount{Event: ChainFailed, Position: at}, known
	case TablePin, TableAccept:
		c = ChainCount{Event: ChainGiven, Position: at, Instance: matchedInstance(f.Match)}
		if f.Table == TablePin {
			c.Event = ChainChosen
		}
		return c, known && c.Instance != 0
	}
	return ChainCount{}, false
}

func matchedPosition(m openflow.Match) (Position, bool) {
	for _, v := range m {
		if v.Field == RegPosition {
			return positionOf(v.Uint64())
		}
	}
	return Position{}, false
}

func matchedInstance(m openflow.Match) int {
	for _, v := range m {
		if v.Field == RegInstance {
			return int(v.Uint64())
		}
	}
	return 0
}

// loadedPosition is where the actions put the packet.
func loadedPosition(list []openflow.Action) (Position, bool) {
	for _, a := range list {
		if l, ok := a.(openflow.Load); ok && l.Dst == RegPosition && l.Ofs == 0 {
			return positionOf(l.Value)
		}
	}
	return Position{}, false
}
