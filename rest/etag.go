package rest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/dovetail-sdn/dovetail/topology"
)

// etag is "REVISION.STATUS": the object's revision, and a hash of its status. A
// conditional GET thus sees a status that changed without the intent; If-Match
// looks at the revision alone, so that a change of status never makes a writer
// fail. A client may leave out the second part.
func etag(obj topology.Object, view any) string {
	h := fnv.New32a()
	b, _ := json.Marshal(view) // a view always can
	_, _ = h.Write(b)
	return fmt.Sprintf("\"%d.%08x\"", obj.Meta().Revision, h.Sum32())
}

// precondition is what If-Match and If-None-Match ask of a write (RFC 9110, 13.1).
type precondition struct {
	mustExist    bool    // If-Match: *
	mustNotExist bool    // If-None-Match: *
	revisions    []int64 // If-Match: the object is at one of these
}

func parsePrecondition(ifMatch, ifNoneMatch string) (precondition, *Problem) {
	var c precondition
	switch strings.TrimSpace(ifNoneMatch) {
	case "":
	case "*":
		c.mustNotExist = true
	default:
		return c, badHeader("If-None-Match", ifNoneMatch, "a write understands only *, which means: it must not exist yet")
	}
	switch strings.TrimSpace(ifMatch) {
	case "":
		return c, nil
	case "*":
		c.mustExist = true
		return c, nil
	}
	for _, tag := range strings.Split(ifMatch, ",") {
		rev, ok := revisionOf(tag)
		if !ok {
			return c, badHeader("If-Match", ifMatch, "must be the ETag of an earlier answer, or *")
		}
		c.revisions = append(c.revisions, rev)
	}
	return c, nil
}

// conditions makes one header of several If-Match or If-None-Match, and refuses what
// would be overlooked: one without a value, as a script has whose variable is empty,
// and one for a manifest, whose objects have revisions of their own.
func conditions(r *http.Request) *Problem {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		values, ok := r.Header[name]
		if !ok {
			continue
		}
		all := strings.Join(values, ", ")
		switch {
		case r.URL.Path == applyPath:
			return badHeader(name, all, "a manifest cannot have one: it would be for all of its objects")
		case strings.TrimSpace(all) == "":
			return badHeader(name, all, "must have a value, or be left out")
		}
		r.Header.Set(name, all)
	}
	return nil
}

// revisionOf reads the revision of an ETag. Proxies that compress mark ETags as
// weak; the revision still is exact.
func revisionOf(tag string) (int64, bool) {
	tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
	if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return 0, false
	}
	rev, _, _ := strings.Cut(tag[1:len(tag)-1], ".")
	n, err := strconv.ParseInt(rev, 10, 64)
	return n, err == nil && n > 0
}

// check says whether an object, nil if there is none, fulfils the condition.
func (c precondition) check(key topology.Key, now topology.Object) *Problem {
	if c.mustNotExist && now != nil {
		p, _ := domainProblem(&topology.ExistsError{Key: key}, bodyLocation)
		return p
	}
	if !c.mustExist && c.revisions == nil {
		return nil
	}
	if now == nil {
		p := problem(http.StatusPreconditionFailed, "stale", "Changed meanwhile", "%s does not exist (any more), and the request has If-Match", key)
		p.Object = &key
		return p
	}
	if c.mustExist {
		return nil
	}
	for _, rev := range c.revisions {
		if rev == now.Meta().Revision {
			return nil
		}
	}
	p, _ := domainProblem(&topology.StaleError{Key: key, Have: c.revisions[0], Now: now.Meta().Revision}, bodyLocation)
	return p
}

// notModified says whether If-None-Match of a GET has the ETag; the comparison is
// weak (RFC 9110, 13.1.2).
func notModified(ifNoneMatch, tag string) bool {
	for _, t := range strings.Split(ifNoneMatch, ",") {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		if t == "*" || t == tag {
			return true
		}
	}
	return false
}

func badHeader(name, value, message string) *Problem {
	p := invalid(FieldError{Message: message, Location: "header." + name, Value: clip(value)})
	return p
}
