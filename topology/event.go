package topology

import "time"

// EventType says what an Event tells.
type EventType string

// The types of event that the controller reports.
const (
	EventCreated      EventType = "created"       // an object was created
	EventUpdated      EventType = "updated"       // an object's spec changed
	EventDeleted      EventType = "deleted"       // an object was deleted
	EventRealized     EventType = "realized"      // an object became realized
	EventFailed       EventType = "failed"        // a switch refused part of an object
	EventBound        EventType = "bound"         // an endpoint appeared on, or moved to, a host
	EventUnbound      EventType = "unbound"       // an endpoint's port vanished
	EventHostUp       EventType = "host-up"       // a host's sessions are up
	EventHostDown     EventType = "host-down"     // a host went away
	EventRepaired     EventType = "repaired"      // drift on a switch or in a host's OVSDB was repaired
	EventConflict     EventType = "conflict"      // two hosts claim one endpoint
	EventHostRejected EventType = "host-rejected" // a host was refused
	EventLaneMoved    EventType = "lane-moved"    // a gateway's lane went to another host
	EventInstanceDown EventType = "instance-down" // an instance of a service function stopped working
	EventInstanceUp   EventType = "instance-up"   // an instance of a service function works
)

// Event is one thing that happened, in words and as data.
type Event struct {
	Sequence uint64    `json:"sequence"` // rises by one; gaps mean that the reader was too slow
	Time     time.Time `json:"time"`
	Type     EventType `json:"type"`
	Object   Key       `json:"object"`
	Host     string    `json:"host,omitempty"`
	Message  string    `json:"message"`
}
