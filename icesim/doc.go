// Package icesim runs Pion on emulated hosts: a transport.Net over a host that
// dials and listens as package net does, and our own STUN and TURN server
// (package turnsrv) on another.
//
//	ice.Agent, webrtc.PeerConnection ──▶ Net ──▶ Host.ListenPacket, DialContext
//	                                              │
//	               Server (turnsrv) ◀─────────────┘ the emulated network between them
//
// IPv4 only, as the emulated networks are. Names are not resolved: give ICE
// servers by address. What a system's socket has and an emulated one has not
// (buffer sizes, control messages) is ignored or refused.
package icesim
