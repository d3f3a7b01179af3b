package nat

import "errors"

var (
	// ErrNoGateway says that nothing on the links of this host answered as an
	// Internet Gateway Device. It is a normal answer.
	ErrNoGateway = errors.New("no UPnP gateway answered")

	// ErrNoSTUNAnswer says that no STUN server told us our address.
	ErrNoSTUNAnswer = errors.New("no STUN answer")

	// ErrUntrustedLocation says that an SSDP answer or a description points
	// somewhere else than at the host that sent it.
	ErrUntrustedLocation = errors.New("location is not the address that answered")

	// ErrTooLarge says that a peer sent more than its limit.
	ErrTooLarge = errors.New("answer is too large")

	// ErrInternalClient refuses a mapping to an address that no router can
	// forward to, such as a loopback one.
	ErrInternalClient = errors.New("not an address a router can forward to")

	// ErrRunning is returned by a second Run of a Mapper.
	ErrRunning = errors.New("mapper is already running")

	errPortTaken = errors.New("another has it")
	errRedirect  = errors.New("redirect refused")
)
