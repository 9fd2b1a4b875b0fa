package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/dovetail-sdn/dovetail/topology"
	"github.com/google/go-cmp/cmp"
)

// mirror is what a reader knows who believes the batches.
type mirror struct {
	t        *testing.T
	objects  map[topology.Key]topology.Object
	bindings map[topology.Key]*topology.Binding
	revision int64
}

func newMirror(t *testing.T) *mirror {
	return &mirror{t: t, objects: map[topology.Key]topology.Object{}, bindings: map[topology.Key]*topology.Binding{}}
}

// take checks that every event continues what was known before, and that nothing
// refers to what is not there.
func (m *mirror) take(b Batch) {
	m.t.Helper()
	if b.Revision != 0 && b.Revision <= m.revision {
		m.t.Errorf("revision %d after %d", b.Revision, m.revision)
	}
	m.revision = max(m.revision, b.Revision)
	for _, ev := range b.Events {
		sub := ev.subject()
		if sub.binding {
			if have := m.bindings[sub.key]; (have == nil) != (ev.BindingBefore == nil) {
				m.t.Errorf("binding of %s: before %v, known %v", sub.key, ev.BindingBefore, have)
			}
			if m.bindings[sub.key] = ev.BindingAfter; ev.BindingAfter == nil {
				delete(m.bindings, sub.key)
			}
			continue
		}
		if have := m.objects[sub.key]; have != ev.Before {
			m.t.Errorf("%s: before %v, known %v", sub.key, ev.Before, have)
		}
		if m.objects[sub.key] = ev.After; ev.After == nil {
			delete(m.objects, sub.key)
		}
	}
	for _, o := range m.objects {
		switch o := o.(type) {
		case *topology.Network:
			if m.objects[tenant(o.Metadata.Tenant).Key()] == nil {
				m.t.Errorf("%s without its tenant", o.Key())
			}
		case *topology.Endpoint:
			if m.objects[o.NetworkKey()] == nil {
				m.t.Errorf("%s without its network", o.Key())
			}
		}
	}
}

// until takes batches until the revision is reached.
func (m *mirror) until(w *Watcher, revision int64) {
	m.t.Helper()
	for m.revision < revision {
		b, ok := <-w.Batches()
		if !ok {
			m.t.Fatalf("the watch ended: %v", w.Err())
		}
		m.take(b)
	}
}

// equal compares with the store.
func (m *mirror) equal(s *Store) {
	m.t.Helper()
	n := 0
	for _, kind := range topology.Kinds() {
		for _, o := range s.List(kind, "") {
			n++
			if diff := cmp.Diff(o, m.objects[o.Key()], cmpOptions...); diff != "" {
				m.t.Errorf("%s:\n%s", o.Key(), diff)
			}
		}
	}
	if n != len(m.objects) || len(s.Bindings()) != len(m.bindings) {
		m.t.Errorf("%d objects and %d bindings, the reader knows %d and %d", n, len(s.Bindings()), len(m.objects), len(m.bindings))
	}
}

func startWatch(t *testing.T, s *Store) (*Watcher, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	w, err := s.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return w, cancel
}

func TestWatchGivesTheStateAndThenCommits(t *testing.T) {
	s := newStore(t)
	web1 := endpoint("acme", "web1", "blue")
	apply(t, s, puts(chain("acme", "c", "r", "fw"), instance("acme", "fw", "web1"), service("acme", "s", "10.9.0.53"), web1, floating("acme", "f", ""), gateway("edge"), external("internet"), router("acme", "r", "blue"), network("acme", "blue", "10.0.0.0/24"), tenant("acme"), &topology.Host{Metadata: topology.Metadata{Name: "h1"}}))
	if err := s.Bind(t.Context(), []BindingChange{{web1.Key(), &topology.Binding{Host: "h1", Port: "p", OFPort: 3}}}); err != nil {
		t.Fatal(err)
	}
	w, cancel := startWatch(t, s)
	first := <-w.Batches()
	var order []topology.Kind
	for _, ev := range first.Events {
		order = append(order, ev.subject().key.Kind)
	}
	want := append(topology.Kinds(), topology.KindEndpoint) // the last is the binding
	if diff := cmp.Diff(want, order); diff != "" || !first.Initial || !first.Synced || first.Revision != s.Revision() {
		t.Errorf("initial batch: %+v\n%s", first, diff)
	}
	m := newMirror(t)
	m.take(first)
	apply(t, s, puts(endpoint("acme", "web2", "blue"), network("acme", "red")))
	apply(t, s, deletes(web1.Key(), router("acme", "r").Key(), chain("acme", "c", "").Key(), function("acme", "fw").Key()))
	m.until(w, s.Revision())
	m.equal(s)
	cancel()
	for range w.Batches() {
	}
	if err := w.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestWatchEndsWithTheStore(t *testing.T) {
	s := newStore(t)
	w, _ := startWatch(t, s)
	s.Close()
	for range w.Batches() {
	}
	if err := w.Err(); !errors.Is(err, ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	if _, err := s.Watch(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Watch on a closed store: %v", err)
	}
}

// A reader that sleeps through many writes gets what they came to.
func TestSlowReader(t *testing.T) {
	s := newStore(t)
	w, _ := startWatch(t, s)
	w.mu.Lock()
	w.limit = 50
	w.mu.Unlock()
	apply(t, s, puts(tenant("acme"), network("acme", "blue", "10.0.0.0/24")))
	for i := range 200 {
		e := endpoint("acme", fmt.Sprintf("e%d", i%10), "blue")
		e.Metadata.Labels = map[string]string{"round": fmt.Sprint(i)}
		apply(t, s, puts(e))
		if i%7 == 0 {
			apply(t, s, deletes(e.Key()))
		}
		w.mu.Lock()
		w.limit = min(w.limit, 50)
		if n := w.waiting; n > 60 {
			t.Fatalf("%d events wait", n)
		}
		w.mu.Unlock()
	}
	m := newMirror(t)
	m.until(w, s.Revision())
	m.equal(s)
}

// A watch that was lost is made up for by comparing.
func TestResync(t *testing.T) {
	e := embedded(t)
	a, b := open(t, e.NewClient()), open(t, e.NewClient())
	apply(t, a, puts(tenant("acme"), tenant("old"), network("acme", "blue", "10.0.0.0/24"), endpoint("acme", "web1", "blue")))
	if err := b.waitFor(t.Context(), a.Revision()); err != nil {
		t.Fatal(err)
	}
	w, _ := startWatch(t, b)
	m := newMirror(t)
	m.until(w, a.Revision())
	// b hears nothing of this: it is as if its watch had been compacted away.
	b.stop()
	b.done.Wait()
	b.watchers = map[*Watcher]struct{}{}
	b.closing, b.stop = context.WithCancel(context.Background())
	w, _ = startWatch(t, b)
	m = newMirror(t)
	m.until(w, a.Revision())
	apply(t, a, deletes(tenant("old").Key(), endpoint("acme", "web1", "blue").Key()))
	apply(t, a, puts(network("acme", "red", "10.9.0.0/24"), endpoint("acme", "web2", "red")))
	if _, err := b.resync(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	m.until(w, a.Revision())
	m.equal(a)
	same(t, a, b)
	b.endWatchers()
	checkInvariants(t, b)
}

// A watch that starts at a compacted revision ends, and resync takes over.
func TestCompactedWatchIsTakenUpAgain(t *testing.T) {
	e := embedded(t)
	a := open(t, e.NewClient())
	apply(t, a, puts(tenant("acme")))
	old := a.Revision()
	for i := range 10 {
		apply(t, a, puts(network("acme", fmt.Sprintf("n%d", i))))
	}
	if _, err := e.Client().Compact(t.Context(), a.Revision()); err != nil {
		t.Fatal(err)
	}
	b := open(t, e.NewClient())
	done := make(chan struct{})
	go func() { defer close(done); b.watch(old - 1) }()
	<-done
	same(t, a, b)
}
