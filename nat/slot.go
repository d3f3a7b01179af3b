package nat

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// Where and how often another external port is tried when the wanted one is
// not to be had: the dynamic ports of RFC 6335 section 6.
const (
	firstDynamicPort = 49152
	alternatePorts   = 4
)

// slot is one wanted mapping and where it stands. It belongs to Run's goroutine.
type slot struct {
	Mapping
	gw        *Gateway // that has it; nil while it is not mapped
	external  uint16   // as mapped now or last
	permanent bool     // the gateway knows no leases
	foreign   bool     // made by someone else: not ours to renew or remove
	expires   time.Time
	renew     time.Time // when to look after it again
	err       error

	// What was last asked for. If the answer was cut off, the mapping may stand
	// though we never heard of it.
	asked     *Gateway
	askedPort uint16
}

func newSlots(list []Mapping) []*slot {
	slots := make([]*slot, len(list))
	for i, m := range list {
		slots[i] = &slot{Mapping: m}
	}
	return slots
}

func (s *slot) status() MappingStatus {
	st := MappingStatus{Mapping: s.Mapping, Mapped: s.gw != nil && (s.expires.IsZero() || wallNow().Before(s.expires))}
	if st.Mapped {
		st.Internal = netip.AddrPortFrom(s.gw.Local, s.InternalPort)
		st.External, st.Expires, st.Permanent, st.Foreign = s.external, s.expires, s.permanent, s.foreign
	}
	if s.err != nil {
		st.Error = s.err.Error()
	}
	return st
}

// wallNow is the time without its monotonic reading, which stands still while
// a laptop sleeps; leases do not.
func wallNow() time.Time { return time.Now().Round(0) }

// tryPorts lists the external ports to try, in order.
func (s *slot) tryPorts() []uint16 {
	if s.Exact {
		return []uint16{s.wanted()}
	}
	ports := make([]uint16, 0, alternatePorts+3)
	if s.external != 0 {
		ports = append(ports, s.external)
	}
	ports = append(ports, s.wanted(), s.InternalPort)
	for range alternatePorts {
		ports = append(ports, firstDynamicPort+rand.N[uint16](65535-firstDynamicPort))
	}
	return ports
}

// place makes the mapping in a gateway, or renews it. An error that is no
// *Fault means that the gateway did not answer.
func (s *slot) place(ctx context.Context, gw *Gateway, lease time.Duration) error {
	var first error
	tried := make(map[uint16]bool)
	for _, port := range s.tryPorts() {
		if tried[port] {
			continue
		}
		tried[port] = true
		err := s.placeAt(ctx, gw, port, lease)
		if err == nil {
			s.err = nil
			return nil
		}
		if first == nil {
			first = err // of the port that was wanted: what a person wants to know
		}
		if !portRefused(err) {
			break
		}
		// Refused: whatever we had there, we do not have any more.
		s.forget()
	}
	s.err = first
	return first
}

// portRefused tells an error for which another external port may do better.
func portRefused(err error) bool {
	switch faultCode(err) {
	case codeConflict, codeSamePorts, codeOtherMechanism, codeNotAuthorized, codeWildcardExternal:
		return true
	}
	return errors.Is(err, errPortTaken)
}

func (s *slot) placeAt(ctx context.Context, gw *Gateway, port uint16, lease time.Duration) error {
	renewal := s.gw == gw && s.external == port && !s.foreign
	if !renewal {
		if done, err := s.inspect(ctx, gw, port, lease); done || err != nil {
			return err
		}
	}
	err := s.addAt(ctx, gw, port, lease)
	if renewal && faultCode(err) == codeConflict {
		// Some routers will not renew what they hold. If it is still ours, make it anew.
		held, lookErr := gw.lookup(ctx, s.Protocol, port)
		if lookErr != nil || held == nil || !held.pointsTo(gw.Local, s.InternalPort) {
			return err
		}
		if err := gw.remove(ctx, s.Protocol, port); err != nil {
			return err
		}
		err = s.addAt(ctx, gw, port, lease)
	}
	return err
}

// inspect looks who has an external port before we ask for it, since some
// routers let one host overwrite the mapping of another. It is done if someone
// has made the mapping we want.
func (s *slot) inspect(ctx context.Context, gw *Gateway, port uint16, lease time.Duration) (done bool, err error) {
	held, err := gw.lookup(ctx, s.Protocol, port)
	if err != nil && !isFault(err) {
		return false, err
	}
	if held == nil { // free, or the router won't say: try
		return false, nil
	}
	if !held.pointsTo(gw.Local, s.InternalPort) {
		return false, fmt.Errorf("map external %s port %d: %w: it goes to %s", s.Protocol, port, errPortTaken, cleanText(held.client))
	}
	if held.description == s.Description {
		return false, nil // ours, left by an earlier run: take it over
	}
	s.hold(gw, port, min(lease, time.Duration(held.lease)*time.Second), lease)
	s.foreign, s.permanent = true, held.lease == 0
	return true, nil
}

// addAt asks for a mapping with a lease, or without one from a router that knows none.
func (s *slot) addAt(ctx context.Context, gw *Gateway, port uint16, lease time.Duration) error {
	permanent := false
	s.asked, s.askedPort = gw, port
	err := gw.add(ctx, s.Mapping, port, uint32(lease/time.Second))
	if faultCode(err) == codeOnlyPermanent {
		permanent = true
		err = gw.add(ctx, s.Mapping, port, 0)
	}
	if err != nil {
		return err
	}
	life := lease
	if permanent {
		life = 0
	}
	s.hold(gw, port, life, lease)
	s.foreign, s.permanent = false, permanent
	return nil
}

// hold records a mapping that lives for life (0: for ever), to be looked after
// at half of it.
func (s *slot) hold(gw *Gateway, port uint16, life, lease time.Duration) {
	now := wallNow()
	s.gw, s.external = gw, port
	s.expires, s.renew = time.Time{}, now.Add(lease/2)
	if life > 0 {
		s.expires, s.renew = now.Add(life), now.Add(life/2)
	}
}

// forget records that the mapping does not stand; its port is asked for again first.
func (s *slot) forget() { s.gw, s.expires, s.foreign = nil, time.Time{}, false }

// standing asks the gateway whether it still has the mapping. One that won't
// say is believed to.
func (s *slot) standing(ctx context.Context) (bool, error) {
	held, err := s.gw.lookup(ctx, s.Protocol, s.external)
	if isFault(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return held != nil && held.pointsTo(s.gw.Local, s.InternalPort), nil
}

// remove takes the mapping out of the gateway if we made it and it is still ours.
func (s *slot) remove(ctx context.Context) error {
	gw, port := s.gw, s.external
	if gw == nil {
		gw, port = s.asked, s.askedPort
	}
	if gw == nil || s.foreign {
		return nil
	}
	held, err := gw.lookup(ctx, s.Protocol, port)
	if err != nil && !isFault(err) {
		return err
	}
	// A router that won't say who has the port is told to remove what it told us we have.
	ours := err != nil && s.gw != nil
	if held != nil {
		ours = held.pointsTo(gw.Local, s.InternalPort) && (s.gw != nil || held.description == s.Description)
	}
	if ours {
		if err := gw.remove(ctx, s.Protocol, port); err != nil {
			return err
		}
	}
	s.forget()
	s.asked = nil
	return nil
}
