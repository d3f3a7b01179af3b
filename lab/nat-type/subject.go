package nattype

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/trace"
)

// client is the lane of the host that is looked at.
const client = "client"

// subject is a host that is looked at, from a number of servers.
type subject struct {
	run     *lab.Run
	host    *lab.Host
	open    nat.Opener
	servers []netip.AddrPort
	// lane names a server where packets can't be seen, and messages stand for them.
	lane func(netip.AddrPort) string
}

// region discover

// discover asks from several sockets, and records each question and what became
// of it.
func (s subject) discover(ctx context.Context) (nat.Discovery, error) {
	found, err := nat.DiscoverBehavior(ctx, nat.DiscoverConfig{
		Open: s.open, Servers: s.servers, Dial: s.host.DialContext,
		Watch: func(name string) func(nat.Test) {
			end := s.run.Begin(trace.ICE, client, name)
			return func(t nat.Test) {
				s.run.State(trace.ICE, client, name, t.Outcome())
				s.record(t)
				end(t.Outcome())
			}
		},
	})
	if err != nil {
		return found, fmt.Errorf("look at what is in front: %w", err)
	}
	s.facts(found)
	return found, nil
}

// endregion

// record tells of one test.
func (s subject) record(t nat.Test) {
	if s.lane != nil && t.Sent > 0 {
		sent := fmt.Sprintf("to %s", t.Asked)
		if t.Sent > 1 {
			sent = fmt.Sprintf("to %s, sent %d times", t.Asked, t.Sent)
		}
		s.run.Add(trace.Event{Kind: trace.Message, Layer: trace.ICE, From: client, To: s.lane(t.Asked), Name: "Binding request", Text: t.Name + ", " + sent, Lost: !t.Answered()})
		if t.Answered() {
			s.run.Add(trace.Event{Kind: trace.Message, Layer: trace.ICE, From: s.lane(t.From), To: client, Name: "Binding success", Text: t.Outcome()})
		}
	}
	if t.Answered() && t.Mapped.IsValid() {
		s.run.Sample(trace.ICE, client, "round trip", lab.Milliseconds(t.Took), "ms")
	}
}

// facts tells what was found, and what could not be.
func (s subject) facts(d nat.Discovery) {
	answered, sent := 0, 0
	for _, t := range d.Tests {
		sent += t.Sent
		if t.Answered() {
			answered++
		}
	}
	s.run.Fact("questions asked", float64(len(d.Tests)), "questions")
	s.run.Fact("questions answered", float64(answered), "questions")
	s.run.Fact("requests sent", float64(sent), "packets")
	var says []string
	for _, property := range properties(d.Behavior) {
		s.run.State(trace.ICE, client, "found: "+property[0], property[1])
		says = append(says, property[0]+": "+property[1])
	}
	s.run.Note("Found: %s.", strings.Join(says, "; "))
	if d.Mapped.IsValid() {
		s.run.Fact("round trip to the server", lab.Milliseconds(d.RoundTrip), "ms")
		s.run.Note("%s is seen at %s by %s.", d.Local, d.Mapped, d.Server)
	}
	for _, why := range d.Untold {
		s.run.Note("Could not be told. %s", why)
	}
}

// properties are what is known of a behaviour, name and value.
func properties(b nat.Behavior) (known [][2]string) {
	for _, p := range [][2]string{
		{"kind", b.Kind()}, {"mapping", string(b.Mapping)}, {"filtering", string(b.Filtering)},
		{"ports kept", yesNo(b.Preserves)}, {"hairpinning", yesNo(b.Hairpin)},
	} {
		if p[1] != "" {
			known = append(known, p)
		}
	}
	return known
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "yes"
	}
	return "no"
}
