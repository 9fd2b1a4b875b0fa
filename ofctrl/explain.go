package ofctrl

import "github.com/dovetail-sdn/dovetail/openflow"

// explainer tells drift from what a switch lacks or has because we changed the
// plan after it last was as planned.
type explainer struct {
	always bool // everything is drift
	// base is where the switch was; nil if that is not known.
	base map[*Feed]uint64
	// same says that nothing changed since then.
	same bool
	// refused is what the switch would not have.
	refused map[openflow.ID]uint64
}

// explainer is for a comparison after which nothing is left of the past.
func (s *session) explainer() explainer {
	if s.cause != causeConnect {
		return explainer{base: s.acked.all()}
	}
	if !s.last.compared {
		return explainer{}
	}
	return explainer{base: s.last.acked, same: s.last.settled, refused: s.last.refused}
}

// had says whether the switch had confirmed an entry.
func (x *explainer) had(it *item) bool {
	base, ok := x.base[it.feed]
	if !ok || it.seq > base {
		return false
	}
	sum, refused := x.refused[it.entry.ID]
	return !refused || sum != it.entry.Sum
}

// drift are the differences that we did not make ourselves.
func (d *differences) drift(x explainer) []Drift {
	if !x.always && x.base == nil {
		return nil
	}
	var drift []Drift
	add := func(kind DriftKind, items []*item) {
		for _, it := range items {
			if x.always || x.had(it) {
				drift = append(drift, Drift{Kind: kind, ID: it.entry.ID, Owner: it.owner})
			}
		}
	}
	add(DriftMissing, d.missing)
	add(DriftChanged, d.changed)
	if x.always || x.same {
		drift = append(drift, foreignDrift(d.foreign)...)
	}
	return drift
}

func foreignDrift(ids []openflow.ID) []Drift {
	drift := make([]Drift, len(ids))
	for i, id := range ids {
		drift[i] = Drift{Kind: DriftForeign, ID: id}
	}
	return drift
}
