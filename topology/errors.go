package topology

import (
	"fmt"
	"strings"
)

// InvalidError says that an object cannot be accepted as it is.
type InvalidError struct {
	Key    Key
	Field  string // as in JSON: "spec.subnets[0].gateway"
	Reason string // what is wrong and what would be right
}

// Error implements error.
func (e *InvalidError) Error() string { return fmt.Sprintf("%s: %s: %s", e.Key, e.Field, e.Reason) }

// ConflictError says that a value is taken by another object.
type ConflictError struct {
	Key    Key
	Field  string
	Reason string
	Holder Key // who has it
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: %s: %s (held by %s)", e.Key, e.Field, e.Reason, e.Holder)
}

// ReferencedError says that an object cannot be deleted while others refer to it.
type ReferencedError struct {
	Key Key
	By  []Key // at most 10, sorted
}

// Error implements error.
func (e *ReferencedError) Error() string {
	by := make([]string, len(e.By))
	for i, k := range e.By {
		by[i] = k.String()
	}
	return fmt.Sprintf("%s is still referenced by %s: delete those first", e.Key, strings.Join(by, ", "))
}

// NotFoundError says that there is no such object.
type NotFoundError struct{ Key Key }

// Error implements error.
func (e *NotFoundError) Error() string { return fmt.Sprintf("%s does not exist", e.Key) }

// ExistsError says that an object that had to be new exists already (If-None-Match: *).
type ExistsError struct{ Key Key }

// Error implements error.
func (e *ExistsError) Error() string { return fmt.Sprintf("%s exists already", e.Key) }

// StaleError says that an object was changed since the caller read it.
type StaleError struct {
	Key       Key
	Have, Now int64 // revisions
}

// Error implements error.
func (e *StaleError) Error() string {
	return fmt.Sprintf("%s was changed meanwhile (you have revision %d, it is now %d): read it again and repeat your change", e.Key, e.Have, e.Now)
}
