// Package lab is what a lab is, and what runs one: a description (Info), a
// struct of parameters declared by tags, and a function that does the real
// thing on a network it is handed and records what happened.
//
//	form ──values──▶ Lab.Parse ──Settings──▶ Runner.Start ──▶ run(ctx, P, *Run)
//	                    │ *ParamError             │               │
//	                    ▼                         ▼               ├─ verbs ───▶ trace.Log ─▶ readers
//	              the field named             *Record ◀───────────┘            (pages, JSON)
//	                                                              └─ Host ─┬─ loopback, where nc and curl join in
//	                                                                       └─ netsim: an emulated link, every packet kept
//
// A run is bounded in time, events, bytes of events, bytes of packets and open
// sockets, and ends when it is stopped, abandoned or finished. What it opened
// through a Host is closed then, what it started through Run.Go has ended, and
// a panic in either is an error of that run alone.
//
// The bounds are kept by this process and not by the system: a lab that spins
// without looking at its context is reported and keeps its place, but cannot be
// killed. Labs are our own code; what visitors choose is their parameters.
//
// This package draws nothing, serves no HTTP and knows no concrete lab.
// Package lab/lesson reads the lesson; lab/labtest checks any lab.
package lab
