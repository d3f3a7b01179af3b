package turnsrv

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"
)

// Bounds on what one allocation may ask Pion to remember. Pion has none, walks
// its channels one by one for each packet, and keeps a timer for each permission.
const (
	maxChannels    = 128
	maxPermissions = 128

	permissionLifetime = 5 * time.Minute  // RFC 8656 section 9
	channelLifetime    = 10 * time.Minute // section 12; what we have Pion use
	// channelMargin is how much sooner than Pion we forget a channel.
	channelMargin = 30 * time.Second
)

// channelTable is the channels of one allocation that Pion has bound, kept here
// as well so that ChannelData can be relayed without a detour through it.
//
// It never knows a channel Pion doesn't: one gets in when Pion's success
// response passes by, and out half a minute before Pion's own timer. A packet it
// has no channel for is left to Pion. One goroutine writes, any number read.
type channelTable struct{ live atomic.Pointer[[]channel] }

type channel struct {
	number  uint16
	peer    netip.AddrPort
	expires time.Duration // on the server's coarse clock
}

// bind adds or refreshes a channel and drops those that have expired.
func (t *channelTable) bind(number uint16, peer netip.AddrPort, now time.Duration) {
	next := []channel{{number, peer, now + channelLifetime - channelMargin}}
	for _, c := range t.list() {
		if c.number != number && c.expires > now {
			next = append(next, c)
		}
	}
	t.live.Store(&next)
}

func (t *channelTable) list() []channel {
	if p := t.live.Load(); p != nil {
		return *p
	}
	return nil
}

// byNumber finds where ChannelData from the client goes.
func (t *channelTable) byNumber(number uint16, now time.Duration) (netip.AddrPort, bool) {
	for _, c := range t.list() {
		if c.number == number {
			return c.peer, c.expires > now
		}
	}
	return netip.AddrPort{}, false
}

// byPeer finds the channel that packets from a peer use.
func (t *channelTable) byPeer(peer netip.AddrPort, now time.Duration) (uint16, bool) {
	for _, c := range t.list() {
		if c.peer == peer {
			return c.number, c.expires > now
		}
	}
	return 0, false
}

// full reports whether number would be one channel too many.
func (t *channelTable) full(number uint16, now time.Duration) bool {
	live := 0
	for _, c := range t.list() {
		if c.number == number {
			return false
		}
		if c.expires > now {
			live++
		}
	}
	return live >= maxChannels
}

// channelNumber and channelPayload read ChannelData that inspect has passed.
func channelNumber(p []byte) uint16 { return binary.BigEndian.Uint16(p) }

func channelPayload(p []byte) []byte {
	return p[channelHeader : channelHeader+int(binary.BigEndian.Uint16(p[2:]))]
}

// putChannelHeader writes the header in front of n bytes of payload that are
// already in p, adds the padding a stream needs, and returns the frame.
func putChannelHeader(p []byte, number uint16, n int, pad bool) []byte {
	binary.BigEndian.PutUint16(p, number)
	binary.BigEndian.PutUint16(p[2:], uint16(n))
	end := channelHeader + n
	if pad {
		full := padded(end)
		clear(p[end:full])
		end = full
	}
	return p[:end]
}
