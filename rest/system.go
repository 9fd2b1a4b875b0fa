package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/dovetail-sdn/dovetail/topology"
)

// VersionInfo says what is running.
type VersionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty" doc:"The commit that it was built from"`
	Go       string `json:"go"`
	API      string `json:"api" example:"v1"`
}

// CookieInfo says which objects a flow's cookie stands for.
type CookieInfo struct {
	Cookie  string         `json:"cookie" example:"0x8f21c3d400000001"`
	Objects []topology.Key `json:"objects" nullable:"false" doc:"One, or rarely more: the cookie holds a hash of the object's name"`
}

type health struct {
	Status string `json:"status" example:"ok"`
}

type healthOutput struct{ Body health }

type versionOutput struct{ Body VersionInfo }

type cookieInput struct {
	Cookie string `path:"cookie" doc:"As ovs-ofctl prints it" example:"0x8f21c3d400000001"`
}

type cookieOutput struct{ Body CookieInfo }

func (s *server) registerSystem() {
	huma.Register(s.api, s.operation(http.MethodGet, "/healthz", "healthz", "System", "Answers while the process is alive."),
		func(context.Context, *struct{}) (*healthOutput, error) { return &healthOutput{health{"ok"}}, nil })
	huma.Register(s.api, s.operation(http.MethodGet, "/readyz", "readyz", "System", "Answers 200 if the store can be written and the controller has loaded the intent."),
		func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if err := errors.Join(s.cfg.Intent.Health(ctx), s.cfg.Realization.Ready()); err != nil {
				return nil, unavailable("%v", err)
			}
			return &healthOutput{health{"ok"}}, nil
		})
	huma.Register(s.api, s.operation(http.MethodGet, "/v1/version", "version", "System", "Says what is running."),
		func(context.Context, *struct{}) (*versionOutput, error) { return &versionOutput{s.version()}, nil })
	huma.Register(s.api, s.operation(http.MethodGet, "/v1/cookies/{cookie}", "whose", "System", "Says which objects the flows with a cookie realize."), s.cookie)
}

func (s *server) version() VersionInfo {
	v := VersionInfo{Version: s.cfg.Version, Go: runtime.Version(), API: "v1"}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, set := range info.Settings {
			if set.Key == "vcs.revision" {
				v.Revision = set.Value
			}
		}
	}
	return v
}

func (s *server) cookie(_ context.Context, in *cookieInput) (*cookieOutput, error) {
	cookie, err := strconv.ParseUint(in.Cookie, 0, 64)
	if err != nil {
		return nil, invalid(FieldError{Message: "must be a number of 64 bits, like 0x8f21c3d400000001", Location: "path.cookie", Value: clip(in.Cookie)})
	}
	resolver, ok := s.cfg.Realization.(CookieResolver)
	if !ok {
		return nil, fromStatus(http.StatusNotImplemented, "this controller cannot resolve cookies")
	}
	keys := resolver.ResolveCookie(cookie)
	if len(keys) == 0 {
		return nil, fromStatus(http.StatusNotFound, fmt.Sprintf("no object has flows with cookie %#x: it belongs to an object that is deleted, or to nobody", cookie))
	}
	return &cookieOutput{CookieInfo{fmt.Sprintf("%#x", cookie), keys}}, nil
}
