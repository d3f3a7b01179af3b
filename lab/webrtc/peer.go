package webrtc

import (
	"errors"
	"fmt"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"
	pion "github.com/pion/webrtc/v3"

	"peerlab/icesim"
	"peerlab/lab"
)

// firstPort is the first port that peers use, so that a person knows what to tell
// Wireshark. It is another one than that of SCTP inside of DTLS, 5000, or Wireshark would take that for DTLS too.
const firstPort = 40000

// The first wait for consent to send (RFC 7675), beyond some round trips, before
// the path counts as disconnected, and as failed.
const (
	keepalive    = 500 * time.Millisecond
	disconnected = 1500 * time.Millisecond
	failed       = 4 * time.Second
)

// usualRetry is what Pion takes for manner.retry if nobody says otherwise.
const usualRetry = time.Second

// manner is what two ways to open a connection differ in.
type manner struct {
	trickle    bool          // candidates follow the offer, one by one
	verify     bool          // the DTLS server asks for a cookie first
	negotiated bool          // both sides know of the channel: nothing is announced
	retry      time.Duration // of DTLS, when nothing comes back
}

// region peer

// newPeer makes a peer connection on a host, with ports from first to last. All that it is told differs from
// Pion's defaults for a reason.
func newPeer(r *lab.Run, h *lab.Host, m manner, first, last uint16, servers ...string) (*pion.PeerConnection, error) {
	var s pion.SettingEngine
	s.SetNet(icesim.NewNet(h))                                  // the emulated host
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)      // names are no use to a Go peer
	s.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4}) // there is no IPv6 here
	rtt := 2 * r.Settings().Delay
	s.SetICETimeouts(disconnected+2*rtt, failed+4*rtt, keepalive)
	s.SetSrflxAcceptanceMinWait(0) // take the first pair that works
	s.SetPrflxAcceptanceMinWait(0)
	s.SetDTLSRetransmissionInterval(m.retry)    // 1 s is the default
	s.SetDTLSInsecureSkipHelloVerify(!m.verify) // ICE has shown already that the peer gets what is sent there
	s.SetDTLSKeyLogWriter(r.KeyLog())           // never outside of a lab
	s.LoggerFactory = &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
	err := s.SetEphemeralUDPPortRange(first, last)
	if err != nil {
		return nil, fmt.Errorf("ports of %s: %w", h.Name(), err)
	}
	var config pion.Configuration
	if len(servers) > 0 {
		config.ICEServers = []pion.ICEServer{{URLs: servers}}
	}
	pc, err := pion.NewAPI(pion.WithSettingEngine(s)).NewPeerConnection(config)
	if err != nil {
		return nil, fmt.Errorf("peer connection of %s: %w", h.Name(), err)
	}
	return pc, nil
}

// endregion

// closeAll ends peer connections; nil ones are none.
func closeAll(all ...*pion.PeerConnection) error {
	var errs []error
	for _, pc := range all {
		if pc != nil {
			errs = append(errs, pc.Close())
		}
	}
	return errors.Join(errs...)
}
