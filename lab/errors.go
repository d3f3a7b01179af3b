package lab

import (
	"errors"
	"fmt"
)

// Errors of the Runner. All are for whoever asked, and none is a fault of ours.
var (
	// ErrNoLab: no lab of that slug.
	ErrNoLab = errors.New("there is no such lab")
	// ErrNoRun: no run of that id, or not any more.
	ErrNoRun = errors.New("there is no such run here, or not any more: only the latest are kept")
	// ErrBusy: as many runs as this server does at once are going on.
	ErrBusy = errors.New("too many runs are going on here")
	// ErrYourRuns: as many runs as one client may have are going on.
	ErrYourRuns = errors.New("too many runs of yours are going on")
	// ErrOver: the run takes no actions as it has ended.
	ErrOver = errors.New("the run is over")
	// ErrNoAction: the lab has no such action.
	ErrNoAction = errors.New("the lab has no such action")
	// ErrTooFast: the run has not taken the actions or visits before this one yet.
	ErrTooFast = errors.New("too many actions are waiting")
	// ErrNoVisitors: the lab takes no measurements of visitors' browsers.
	ErrNoVisitors = errors.New("the lab takes no measurements of browsers")
	// ErrManyVisitors: as many browsers as may take part in the run do.
	ErrManyVisitors = errors.New("too many browsers take part in this run")
	// ErrClosed: the Runner is shutting down.
	ErrClosed = errors.New("the server is shutting down")
)

// Errors of the Hosts.
var (
	// ErrNotOurs: on the loopback a host dials the run's own listeners only.
	ErrNotOurs = errors.New("not a listener of this run")
	// ErrSockets: the run has as many sockets open as it may have.
	ErrSockets = errors.New("too many sockets are open in this run")
	// ErrHost: the name of a host can't be used.
	ErrHost = errors.New("bad name for a host")
	// ErrNoLink: what was asked for is on the emulated link only.
	ErrNoLink = errors.New("the loopback has none: run it on the link")
	// ErrInUse: the host listens on that port already.
	ErrInUse = errors.New("the host listens there already")
)

// Faults of a lab.
var (
	// ErrPanic is wrapped by the error of a run that panicked.
	ErrPanic = errors.New("the lab panicked")
	// ErrStuck: a run has not returned in time after it was ended.
	ErrStuck = errors.New("the lab does not end")
	// ErrNoPackets: on the loopback there are no packets to be seen.
	ErrNoPackets = errors.New("a run on the loopback has no packets: run it on the link")
)

// Why a run ended, when it did not end by itself. context.Cause of the ctx of
// a run tells which.
var (
	ErrStopped   = errors.New("by hand")
	ErrDuration  = errors.New("the time for it was over")
	ErrAbandoned = errors.New("nobody was watching")
	errOver      = errors.New("the run is over")
)

// limited says how many are allowed, and still is what it wraps.
func limited(err error, most int) error { return fmt.Errorf("%w: the most is %d", err, most) }
