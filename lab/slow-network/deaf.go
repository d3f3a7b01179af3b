package slownetwork

import (
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
)

// drained begins the names of the toxics below in Toxiproxy's registry.
const drained = "drained_"

// register makes the toxics below known to Toxiproxy, which creates toxics by
// name, and silences the logger of the process that one of its toxics writes
// to; nothing else here uses zerolog. Doing it again changes nothing.
func register() {
	zerolog.SetGlobalLevel(zerolog.Disabled) // bandwidth speaks to the world's logger
	toxics.Register(drained+"timeout", new(timeout))
	toxics.Register(drained+"reset_peer", new(resetPeer))
}

// region deaf

// timeout and resetPeer are Toxiproxy's, except that they go on listening when
// they have closed the stream. Toxiproxy's stop, and whoever still has a piece
// of the stream for them then waits for ever: two goroutines for every
// connection broken off in the middle.
type timeout struct{ toxics.TimeoutToxic }

func (t *timeout) Pipe(stub *toxics.ToxicStub) {
	t.TimeoutToxic.Pipe(stub)
	drain(stub)
}

// Cleanup closes the stream, as bytes are missing in it.
func (t *timeout) Cleanup(stub *toxics.ToxicStub) {
	t.TimeoutToxic.Cleanup(stub)
	drain(stub)
}

type resetPeer struct{ toxics.ResetToxic }

func (t *resetPeer) Pipe(stub *toxics.ToxicStub) {
	t.ResetToxic.Pipe(stub)
	drain(stub)
}

// drain swallows what still comes to a closed stub. It ends when both
// connections are closed, which they are since the stub is.
func drain(stub *toxics.ToxicStub) {
	if !stub.Closed() {
		return // only interrupted
	}
	for range stub.Input {
	}
}

// endregion
