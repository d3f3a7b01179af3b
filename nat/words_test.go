package nat_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"peerlab/nat"
)

var update = flag.Bool("update", false, "write testdata/predictions.json anew")

// predictions is the file by which the browser's own prediction is held to
// Predict; its test, under jstest, reads the same.
const predictions = "testdata/predictions.json"

// table says what becomes of each side (row) with each (column): of d(irect),
// r(elayed), f(ailed) and u(nknown), by STUN alone and with TURN.
type table struct {
	Sides []side   `json:"sides"`
	STUN  []string `json:"stun"`
	TURN  []string `json:"turn"`
}

type side struct {
	Mapping   string `json:"mapping"`
	Filtering string `json:"filtering,omitempty"`
}

func TestPredictionsThatTheBrowserIsHeldTo(t *testing.T) {
	t.Parallel()
	var now table
	sides := everySide()
	for _, a := range sides {
		mapping, filtering := a.Words()
		if back := nat.FromWords(mapping, filtering); back != a {
			t.Errorf("%s, %s is read as %+v, want %+v", mapping, filtering, back, a)
		}
		now.Sides = append(now.Sides, side{mapping, filtering})
		var stun, turn string
		for _, b := range sides {
			stun += string(nat.Predict(a, b, false).Outcome[0])
			turn += string(nat.Predict(a, b, true).Outcome[0])
		}
		now.STUN, now.TURN = append(now.STUN, stun), append(now.TURN, turn)
	}
	text, err := json.MarshalIndent(now, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(predictions, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(predictions)
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != string(text) {
		t.Errorf("Predict no longer says what %s does: go test ./nat -run Predictions -update, then npm test", predictions)
	}
}

// everySide is all that can be told of one.
func everySide() []nat.Behavior {
	sides := []nat.Behavior{unknown, udpBlocked}
	dependences := []nat.Dependence{nat.EndpointIndependent, nat.AddressDependent, nat.AddressAndPortDependent, nat.NotPortDependent}
	for _, filtering := range append(dependences, "") {
		sides = append(sides, nat.Behavior{Mapping: nat.EndpointIndependent, Filtering: filtering})
		for _, mapping := range dependences {
			sides = append(sides, nat.Behavior{Translated: true, Mapping: mapping, Filtering: filtering})
		}
	}
	return sides
}
