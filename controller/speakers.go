package controller

import (
	"context"
	"maps"
	"sync"

	"github.com/dovetail-sdn/dovetail/bgp"
	"github.com/rs/zerolog"
)

// Speaker announces routes to the peers of one external network; *bgp.Speaker is one.
type Speaker interface {
	Apply(ctx context.Context, cfg bgp.Config) error
	Announce(ctx context.Context, routes []bgp.Route) error
	Peers() []bgp.PeerState
	Close()
}

// speakers are those of all external networks that have BGP. They work behind the
// loop's back, since it must not wait for peers. Only the newest word on an external
// network counts.
type speakers struct {
	make func(log zerolog.Logger) Speaker // nil: nothing is announced
	log  zerolog.Logger
	wake chan struct{}

	mu   sync.Mutex
	todo map[string]announced
	all  map[string]Speaker
}

func newSpeakers(make func(zerolog.Logger) Speaker, log zerolog.Logger) *speakers {
	return &speakers{make: make, log: log, wake: newWake(), todo: map[string]announced{}, all: map[string]Speaker{}}
}

func newWake() chan struct{} { return make(chan struct{}, 1) }

func (s *speakers) say(what map[string]announced) {
	if len(what) == 0 || s.make == nil {
		return
	}
	s.mu.Lock()
	maps.Copy(s.todo, what)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends, and then closes all speakers: peers keep the routes for
// the next controller.
func (s *speakers) run(ctx context.Context) {
	defer func() {
		for _, sp := range s.all {
			sp.Close()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.mu.Lock()
		todo := s.todo
		s.todo = map[string]announced{}
		s.mu.Unlock()
		for name, a := range todo {
			s.speak(ctx, name, a)
		}
	}
}

func (s *speakers) speak(ctx context.Context, name string, a announced) {
	sp := s.named(name, a.cfg.ASN != 0)
	if sp == nil {
		return
	}
	log := s.log.With().Str("external-network", name).Logger()
	// A speaker without peers tells those that it had to forget the routes.
	if err := sp.Apply(ctx, a.cfg); err != nil {
		log.Error().Err(err).Msg("configuring BGP")
		return
	}
	if a.cfg.ASN == 0 {
		s.mu.Lock()
		delete(s.all, name)
		s.mu.Unlock()
		sp.Close()
		return
	}
	if err := sp.Announce(ctx, a.routes); err != nil {
		log.Error().Err(err).Msg("announcing routes")
	}
}

func (s *speakers) named(name string, wanted bool) Speaker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[name] == nil && wanted {
		s.all[name] = s.make(s.log.With().Str("external-network", name).Logger())
	}
	return s.all[name]
}

func (s *speakers) peers(name string) []bgp.PeerState {
	s.mu.Lock()
	sp := s.all[name]
	s.mu.Unlock()
	if sp == nil {
		return nil
	}
	return sp.Peers()
}
