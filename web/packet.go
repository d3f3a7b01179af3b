package web

import (
	"encoding/hex"
	"net/http"
	"strconv"

	"peerlab/dissect"
)

var errNoPacket = &failure{Status: http.StatusNotFound, Title: "There is no such packet",
	Detail: "A run keeps its packets up to a size, and only as long as it is kept itself."}

// packet answers GET /runs/{id}/packets/{number}: one packet of a run, as JSON, with its
// bytes in hexadecimal and what they are, layer by layer.
func (s *site) packet(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.findRun(r.PathValue("id"))
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 31)
	if err != nil {
		return errNoPacket
	}
	data, link, ok := rec.Packet(int(number))
	if !ok {
		return errNoPacket
	}
	if len(data) > maxDissected {
		data = data[:maxDissected]
	}
	writeJSON(w, http.StatusOK, struct {
		Number uint64 `json:"number"`
		Hex    string `json:"hex"`
		dissect.Packet
	}{number, hex.EncodeToString(data), dissect.Do(data, dissect.LinkType(link))})
	return nil
}

// maxDissected is what of a packet is shown; IP packets are no larger, frames
// hardly are.
const maxDissected = 66 << 10
