// Package web is what a browser sees of Peerlab: the pages, their data as JSON
// and the doors to the rooms. It turns requests into calls on the few things
// its Config names, and their answers into HTML.
//
// It does not carry signaling (package signaling does, behind ServeWS), knows
// no relay, no NAT, no peer connection and no lab by name, and keeps nothing
// between requests.
//
//	request → log → recover → headers → host → origin → route → handler
//	                                                              │ error
//	                          error page or JSON ← failure ◀──────┘
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"

	"peerlab/lab/lesson"
	"peerlab/static"
)

// Rooms is the part of a signaling hub the pages need.
type Rooms interface {
	// Create makes an empty room for a client at that address and returns its id.
	Create(client netip.Addr) (room string, err error)
	// Exists tells whether a room with this id is open now.
	Exists(room string) bool
	// ServeWS upgrades the request and serves the room's signaling protocol.
	ServeWS(w http.ResponseWriter, r *http.Request, room string)
}

// Config says what the pages stand on. Fields marked optional may be nil; what
// they would offer is then not shown.
type Config struct {
	// Rooms opens rooms and serves their WebSockets.
	Rooms Rooms
	// Status tells how the server is doing. Called for every dashboard, status
	// and metrics request, so it must answer quickly.
	Status func(context.Context) Status
	// ClientAddr tells who asks, behind whatever proxies the server trusts.
	ClientAddr func(*http.Request) netip.Addr
	// AllowedHosts tells whether this server answers to a Host header. It is
	// the defence against DNS rebinding.
	AllowedHosts func(host string) bool
	// ShareURLs lists base URLs (no trailing slash) at which other machines
	// reach this server, the best first.
	ShareURLs func(*http.Request) []string
	// Invite brings the server's own Go peer into a room. Optional.
	Invite func(ctx context.Context, room string) error
	// MapPorts opens or closes port mappings at the gateway; only visitors on
	// this machine may ask. Optional.
	MapPorts func(ctx context.Context, on bool) error
	// CheckNAT measures the NAT again; only visitors on this machine may ask.
	// Optional.
	CheckNAT func(context.Context) error
	// Labs runs the labs. Optional.
	Labs Labs
	// STUN lists the URLs of STUN servers for the browser of a visitor, two ports
	// of one address if there are. Optional.
	STUN func(*http.Request) []string
	// Logger gets each request at debug level and each failure of ours at error.
	Logger *slog.Logger
}

func (c *Config) validate() error {
	for name, missing := range map[string]bool{
		"Rooms":        c.Rooms == nil,
		"Status":       c.Status == nil,
		"ClientAddr":   c.ClientAddr == nil,
		"AllowedHosts": c.AllowedHosts == nil,
		"ShareURLs":    c.ShareURLs == nil,
		"Logger":       c.Logger == nil,
	} {
		if missing {
			return errors.New("web: Config." + name + " is missing")
		}
	}
	return nil
}

// site is the Config with what is worked out of it once.
type site struct {
	Config
	assets  assets
	lessons map[string]*lesson.Lesson // by the slug of their lab
	uploads *places
}

// New returns the handler for the whole site.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	hash, err := static.Hash(static.Files())
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	lessons, err := readLessons(cfg.Labs)
	if err != nil {
		return nil, err
	}
	if err := checkVisitors(cfg.Labs); err != nil {
		return nil, err
	}
	s := &site{Config: cfg, assets: assets{tree: static.Files(), hash: hash}, lessons: lessons, uploads: &places{taken: map[netip.Addr]int{}}}
	return s.middleware(s.routes()), nil
}

// routes is the whole table. Unknown paths and methods are answered by
// unmatched, so that they too get a page.
func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /{$}":                         s.dashboard,
		"POST /rooms":                      s.createRoom,
		"POST /join":                       s.join,
		"GET /rooms/{room}":                s.room,
		"GET /rooms/{room}/ws":             s.roomSocket,
		"POST /rooms/{room}/invite":        s.invite,
		"GET /labs/{slug}":                 s.labPage,
		"POST /labs/{slug}/runs":           s.startRun,
		"GET /labs/{slug}/runs":            s.backToLab,
		"GET /runs":                        s.savedRuns,
		"GET /runs/{name}":                 s.run, // an id, also with .json, .txt or .pcapng
		"GET /runs/{id}/events":            s.runEvents,
		"GET /runs/{id}/packets/{number}":  s.packet,
		"POST /runs/{id}/actions/{action}": s.act,
		"POST /runs/{id}/visitor":          s.visit,
		"POST /runs/{id}/stop":             s.stopRun,
		"GET /status":                      s.statusPage,
		"GET /api/status":                  s.statusJSON,
		"POST /nat/map":                    s.mapPorts,
		"POST /nat/check":                  s.checkNAT,
		"GET /healthz":                     s.healthz,
		"GET /metrics":                     s.metrics,
		"GET /static/{hash}/{path...}":     s.assets.serve,
		"GET /favicon.ico":                 s.assets.icon,
	} {
		mux.Handle(pattern, s.handle(h))
	}
	return s.unmatched(mux)
}
