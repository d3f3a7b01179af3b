package slownetwork

import (
	"testing"

	"peerlab/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }
