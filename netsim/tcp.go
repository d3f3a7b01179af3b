package netsim

import (
	"fmt"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// TCP tunes the hosts' TCP. The zero TCP is close to what Go programs have on
// Linux: CUBIC, SACK with RACK, no Nagle delay, window scaling and timestamps, 1 MiB buffers.
// Keep-alive probes are off until a connection asks for them. A SYN without an
// answer is repeated after 1 s, 2 s, 4 s and so on, six times: connecting fails after 127 s.
type TCP struct {
	// Congestion is the congestion control, "cubic" (RFC 9438, the default) or "reno" (RFC 5681).
	Congestion string
	// NoSACK turns selective acknowledgements off (RFC 2018), and with them RACK
	// and tail loss probes (RFC 8985): losses are then found by three duplicate ACKs or a timeout.
	NoSACK bool
	// Nagle delays small segments while data is unacknowledged (RFC 9293
	// section 3.7.4). Off, as Go's net has it; a connection can ask by SetNoDelay(false).
	Nagle bool
	// MinRTO is the shortest retransmission timeout; 0 is 200 ms, as on Linux.
	// RFC 6298 wants 1 s.
	MinRTO time.Duration
	// TimeWait is how long the side that closed first remembers a connection; 0
	// is 60 s, as on Linux. A short one lets a lab show the state end.
	TimeWait time.Duration
	// SendBuffer and ReceiveBuffer are the sizes connections begin with, in
	// bytes; 0 is 1 MiB. The receive buffer grows by itself, to 4 MiB at most, unless it is set here.
	SendBuffer, ReceiveBuffer int
	// Backlog is how many connections a listener holds that nobody accepted
	// yet; 0 is 4096, as on Linux.
	Backlog int
}

const defaultBacklog = 4096

func (t TCP) validate() error {
	bad := func(what string, v any) error { return fmt.Errorf("%w: TCP %s %v", ErrConfig, what, v) }
	buffer := func(n int) bool { return n == 0 || n >= tcp.MinBufferSize && n <= tcp.MaxBufferSize }
	switch {
	case t.Congestion != "" && t.Congestion != "cubic" && t.Congestion != "reno":
		return bad("congestion control is neither cubic nor reno:", t.Congestion)
	case t.MinRTO < 0 || t.MinRTO > tcp.MaxRTO:
		return bad("minimum RTO out of range:", t.MinRTO)
	case t.TimeWait < 0 || t.TimeWait > 10*time.Minute:
		return bad("TIME_WAIT not within 0 and 10 minutes:", t.TimeWait)
	case !buffer(t.SendBuffer):
		return bad("send buffer not within 4 KiB and 4 MiB:", t.SendBuffer)
	case !buffer(t.ReceiveBuffer):
		return bad("receive buffer not within 4 KiB and 4 MiB:", t.ReceiveBuffer)
	case t.Backlog < 0 || t.Backlog > 65_535:
		return bad("backlog not within 0 and 65535:", t.Backlog)
	}
	return nil
}

func (t TCP) backlog() int {
	if t.Backlog == 0 {
		return defaultBacklog
	}
	return t.Backlog
}

// apply sets what differs from the stack's own defaults.
func (t TCP) apply(s *stack.Stack) error {
	cc := tcpip.CongestionControlOption("cubic")
	if t.Congestion != "" {
		cc = tcpip.CongestionControlOption(t.Congestion)
	}
	sack, nagle := tcpip.TCPSACKEnabled(!t.NoSACK), tcpip.TCPDelayEnabled(t.Nagle)
	options := []tcpip.SettableTransportProtocolOption{&cc, &sack, &nagle}
	if t.NoSACK {
		var none tcpip.TCPRecovery
		options = append(options, &none)
	}
	if rto := tcpip.TCPMinRTOOption(t.MinRTO); rto > 0 {
		options = append(options, &rto)
	}
	if wait := tcpip.TCPTimeWaitTimeoutOption(t.TimeWait); wait > 0 {
		options = append(options, &wait)
	}
	if t.SendBuffer > 0 {
		options = append(options, &tcpip.TCPSendBufferSizeRangeOption{
			Min: tcp.MinBufferSize, Default: t.SendBuffer, Max: tcp.MaxBufferSize,
		})
	}
	if t.ReceiveBuffer > 0 {
		grow := tcpip.TCPModerateReceiveBufferOption(false)
		options = append(options, &grow, &tcpip.TCPReceiveBufferSizeRangeOption{
			Min: tcp.MinBufferSize, Default: t.ReceiveBuffer, Max: tcp.MaxBufferSize,
		})
	}
	for _, o := range options {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("netsim: setting TCP option %T: %s", o, err)
		}
	}
	return nil
}
