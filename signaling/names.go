package signaling

import (
	"fmt"

	"peerlab/signaling/envelope"
)

// notPeers are what clients draw beside the peers; nobody is called so.
var notPeers = [...]string{"me", "you", "server", "relay"}

// distinctLocked returns name, numbered if a member goes by it already: people
// tell each other apart by nothing else.
func (r *room) distinctLocked(name string) string {
	taken := make(map[string]bool, len(r.members)+len(notPeers))
	for _, n := range notPeers {
		taken[n] = true
	}
	for _, m := range r.members {
		taken[m.peer.Name] = true
	}
	given := name
	for i := 2; taken[name]; i++ {
		suffix := fmt.Sprintf(" (%d)", i)
		base := []rune(given)
		name = string(base[:min(len(base), envelope.MaxName-len(suffix))]) + suffix
	}
	return name
}
