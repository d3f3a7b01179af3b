package nat

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/pion/stun"
)

// Test is one question of behaviour discovery, and what became of it.
type Test struct {
	// Name says what is asked for, and Asked whom.
	Name  string         `json:"name"`
	Asked netip.AddrPort `json:"asked"`
	// From is where the answer came from, Mapped the address it tells. Neither is
	// valid without an answer.
	From   netip.AddrPort `json:"from,omitzero"`
	Mapped netip.AddrPort `json:"mapped,omitzero"`
	// Sent is how many requests were sent, Took how long it was from the first of
	// them to the answer, or until it was given up.
	Sent int           `json:"sent"`
	Took time.Duration `json:"took_ns"`
	// Error is why there is no answer, or the server's refusal.
	Error string `json:"error,omitempty"`

	other  netip.AddrPort // OTHER-ADDRESS
	silent bool           // all that can be said is that nothing came
	last   time.Time      // a request was sent
}

// Answered reports whether the answer came that was asked for.
func (t Test) Answered() bool { return t.From.IsValid() }

// Outcome is what became of it in words.
func (t Test) Outcome() string {
	switch {
	case !t.Answered():
		return t.Error
	case t.Mapped.IsValid():
		return fmt.Sprintf("seen at %s", t.Mapped)
	}
	return fmt.Sprintf("heard from %s", t.From)
}

// Flags of CHANGE-REQUEST (RFC 5780 section 7.2).
const (
	changeAddress = 4
	changePort    = 2
)

func changeRequest(flags byte) []stun.Setter {
	return []stun.Setter{stun.RawAttribute{Type: stun.AttrChangeRequest, Value: []byte{0, 0, 0, flags}}}
}

func responsePort(port uint16) stun.Setter {
	return stun.RawAttribute{Type: stun.AttrResponsePort, Value: append(binary.BigEndian.AppendUint16(nil, port), 0, 0)}
}

// question is a Binding request to be asked from a socket.
type question struct {
	name string
	from *socket
	to   netip.AddrPort
	// answerer is who has to answer; what comes from elsewhere tells nothing.
	answerer netip.AddrPort
	attrs    []stun.Setter
	pace     pace
}

// put asks a question and waits for the answer. The error is that of ctx.
func (q question) put(ctx context.Context) (Test, error) {
	t := Test{Name: q.name, Asked: q.to}
	request, err := stun.Build(append([]stun.Setter{stun.TransactionID, stun.BindingRequest}, q.attrs...)...)
	if err != nil {
		return t, fmt.Errorf("build a Binding request: %w", err)
	}
	begin, stray := time.Now(), netip.AddrPort{}
	var refusal *stunRefusal
	sent, err := exchange(ctx, q.from, []*socket{q.from}, q.to, request, q.pace, func(d datagram) bool {
		mapped, err := readBinding(d.raw, request.TransactionID)
		switch {
		case errors.As(err, &refusal) && d.from == q.to:
			return true
		case err != nil:
			return false
		case d.from != q.answerer:
			stray = d.from
			return false
		}
		t.From, t.Mapped, t.other = d.from, mapped, readOther(d.raw)
		return true
	})
	t.Took, t.Sent, t.last = time.Since(begin), sent.count, sent.last
	switch {
	case ctx.Err() != nil:
		return t, ctx.Err()
	case refusal != nil:
		t.Error = "refused: " + refusal.Error()
	case stray.IsValid():
		t.Error = fmt.Sprintf("answered from %s, not %s", stray, q.answerer)
	case err != nil:
		t.Error, t.silent = err.Error(), errors.Is(err, errSilence)
	}
	return t, nil
}

// readOther gives the OTHER-ADDRESS of a decodable message (RFC 5780 section
// 7.4), of IPv4; the zero AddrPort if there is none that one could ask.
func readOther(raw []byte) netip.AddrPort {
	m := new(stun.Message)
	if err := stun.Decode(raw, m); err != nil {
		return netip.AddrPort{}
	}
	value, err := m.Get(stun.AttrOtherAddress)
	const ipv4, size = 1, 8
	if err != nil || len(value) != size || value[1] != ipv4 {
		return netip.AddrPort{}
	}
	addr := netip.AddrFrom4([4]byte(value[4:]))
	port := binary.BigEndian.Uint16(value[2:])
	if port == 0 || !(usable(addr) || addr.IsLoopback()) {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, port)
}
