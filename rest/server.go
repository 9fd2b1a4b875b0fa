package rest

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"
	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/dovetail-sdn/dovetail/topology"
)

// Config is what New needs.
type Config struct {
	Intent      Intent
	Realization Realization
	Log         zerolog.Logger
	// Metrics is shown at /metrics; nil shows an empty page.
	Metrics prometheus.Gatherer
	// Register takes the API's own metrics; nil keeps none.
	Register prometheus.Registerer
	// Version of the program, for /v1/version.
	Version string

	// The bounds; 0 means the default.
	MaxBody       int64         // bytes of a body with one object; 256 KiB
	MaxManifest   int64         // bytes of a manifest; topology.MaxManifestBytes
	MaxRequests   int           // requests at once, but for those that wait; 1024
	MaxWaits      int           // requests that wait until something is realized; 2048
	MaxApplies    int           // manifests at once; 32
	MaxStreams    int           // event streams at once; 256
	BodyTimeout   time.Duration // until a body must have come; 30 s
	WriteTimeout  time.Duration // until an answer must be taken; 30 s
	CommitTimeout time.Duration // for one transaction; 15 s
	Heartbeat     time.Duration // between signs of life on an event stream; 15 s
}

func (c *Config) fill() error {
	if c.Intent == nil || c.Realization == nil {
		return errors.New("rest: Config needs Intent and Realization")
	}
	def := func(v *int, d int) { *v = orDefault(*v, d) }
	def(&c.MaxRequests, 1024)
	def(&c.MaxWaits, 2048)
	def(&c.MaxApplies, 32)
	def(&c.MaxStreams, 256)
	c.MaxBody = orDefault(c.MaxBody, 256<<10)
	c.MaxManifest = orDefault(c.MaxManifest, topology.MaxManifestBytes)
	c.BodyTimeout = orDefault(c.BodyTimeout, 30*time.Second)
	c.WriteTimeout = orDefault(c.WriteTimeout, 30*time.Second)
	c.CommitTimeout = orDefault(c.CommitTimeout, 15*time.Second)
	c.Heartbeat = orDefault(c.Heartbeat, 15*time.Second)
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	return nil
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

type server struct {
	cfg     Config
	api     huma.API
	router  *mux.Router
	streams atomic.Int64
	// decoding has a place for each manifest that is being decoded: a large one
	// takes forty times its size while it is.
	decoding chan struct{}
	// waiting has one for each request that waits until something is realized.
	waiting chan struct{}
}

const maxDecoding = 2

// New makes the API's handler. It starts no goroutine; Serve serves it.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	s := &server{cfg: cfg, router: mux.NewRouter().SkipClean(true), decoding: make(chan struct{}, maxDecoding), waiting: make(chan struct{}, cfg.MaxWaits)}
	reg := huma.NewMapRegistry("#/components/schemas/", schemaName)
	s.api = humamux.New(s.router, huma.Config{
		OpenAPI:                      document(reg),
		Formats:                      huma.DefaultFormats,
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{translateProblems},
	})
	s.api.UseMiddleware(s.checkMediaType)
	register(s, tenants)
	register(s, networks)
	register(s, routers)
	register(s, endpoints)
	register(s, hosts)
	register(s, externalNetworks)
	register(s, gateways)
	register(s, floatingIPs)
	register(s, services)
	register(s, functions)
	register(s, chains)
	s.registerApply()
	s.registerEvents()
	s.registerSystem()
	s.router.Handle("/metrics", promhttp.HandlerFor(cfg.Metrics, promhttp.HandlerOpts{})).Methods(http.MethodGet)
	if err := s.serveDocument(); err != nil {
		return nil, fmt.Errorf("rest: the OpenAPI document: %w", err)
	}
	s.router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, fromStatus(http.StatusNotFound, fmt.Sprintf("there is nothing at %s; /openapi.json says what there is", clip(r.URL.Path))))
	})
	s.router.MethodNotAllowedHandler = http.HandlerFunc(s.methodNotAllowed)
	h, err := s.bounded()
	if err != nil {
		return nil, fmt.Errorf("rest: the API's metrics: %w", err)
	}
	return logging{h, cfg.Log}, nil
}

// methodNotAllowed says which methods there are (RFC 9110, 15.5.6).
func (s *server) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodPost, http.MethodDelete} {
		try := r.Clone(r.Context())
		try.Method = m
		var match mux.RouteMatch
		if s.router.Match(try, &match) && match.MatchErr == nil {
			allow = append(allow, m)
		}
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	writeProblem(w, fromStatus(http.StatusMethodNotAllowed, fmt.Sprintf("%s is not possible here; there is %s", clip(r.Method), strings.Join(allow, ", "))))
}

// operation begins the declaration of one operation.
func (s *server) operation(method, path, id, tag, doc string) huma.Operation {
	summary, _, _ := strings.Cut(doc, ". ")
	op := huma.Operation{Method: method, Path: path, OperationID: id, Summary: strings.TrimSuffix(summary, "."), Description: doc, Tags: []string{tag}}
	for _, name := range []string{"tenant", "name", "cookie"} {
		if strings.Contains(path, "{"+name+"}") {
			op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
		}
	}
	op.Responses = map[string]*huma.Response{
		"200":     {Description: "OK"},
		"default": {Description: "A problem (RFC 9457)", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: s.problemSchema()}}},
	}
	if method == http.MethodDelete {
		delete(op.Responses, "200")
	}
	return op
}

// withBody registers an operation that parses its own body. huma shall describe
// the body and leave it alone: it ignores the case of names, takes the last of two
// equal names, and does not name the field whose text is wrong.
func (s *server) withBody(op huma.Operation, schema *huma.Schema, types []string, register func(huma.Operation)) {
	op.SkipValidateBody = true
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for _, t := range types {
		op.RequestBody.Content[t] = &huma.MediaType{Schema: schema}
	}
	register(op)
	delete(op.RequestBody.Content, "application/octet-stream") // huma adds it for a RawBody
}

// checkMediaType refuses bodies of types that the operation does not take.
func (s *server) checkMediaType(ctx huma.Context, next func(huma.Context)) {
	rb := ctx.Operation().RequestBody
	ct := ctx.Header("Content-Type")
	// A browser sends a POST without a type to other sites without asking first.
	if rb == nil || ct == "" && ctx.Method() != http.MethodPost {
		next(ctx)
		return
	}
	if t, _, err := mime.ParseMediaType(ct); err == nil && rb.Content[t] != nil {
		next(ctx)
		return
	}
	types := sortedKeys(rb.Content)
	slices.Sort(types)
	_, w := humamux.Unwrap(ctx)
	writeProblem(w, fromStatus(http.StatusUnsupportedMediaType, fmt.Sprintf("the body's Content-Type is %q and must be %s", clip(ct), strings.Join(types, " or "))))
}
