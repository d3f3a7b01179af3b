package netsim

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// An SCTP packet, RFC 9260 section 3, as it is found in DTLS (RFC 8261). I-DATA,
// by which long messages don't hold up others, is RFC 8260; what opens data
// channels is RFC 8832.
const (
	sctpHeader  = 12
	chunkHeader = 4
	dataHeader  = 16 // of a DATA chunk, with the chunk's own,
	idataHeader = 20 // and of an I-DATA chunk

	chunkData       = 0
	chunkInit       = 1
	chunkInitAck    = 2
	chunkSack       = 3
	chunkIData      = 64
	chunkForwardTSN = 192
	chunkIForward   = 194

	dataBegins, dataEnds, dataUnordered = 2, 1, 4 // flags, but for those of a fragment

	ppidControl = 50 // DCEP
	ppidString  = 51
)

var chunkNames = map[byte]string{
	chunkData: "DATA", chunkInit: "INIT", chunkInitAck: "INIT ACK", chunkSack: "SACK", 4: "HEARTBEAT", 5: "HEARTBEAT ACK",
	6: "ABORT", 7: "SHUTDOWN", 8: "SHUTDOWN ACK", 9: "ERROR", 10: "COOKIE ECHO", 11: "COOKIE ACK", 14: "SHUTDOWN COMPLETE",
	130: "RE-CONFIG", chunkIData: "I-DATA",
	chunkForwardTSN: "FORWARD TSN", chunkIForward: "I-FORWARD TSN",
}

// sctpState numbers the data of each direction from 1.
type sctpState struct {
	before [2]uint32 // the number before the first one
	end    [2]uint32 // after the last one sent
	begun  [2]bool
}

// describeSCTP names the chunks of a packet. ok is false for what is none.
func (r reading) describeSCTP(b []byte, again bool) (summary string, ok bool) {
	if len(b) < sctpHeader+chunkHeader {
		return "", false
	}
	src, dst := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	var names []string
	for b = b[sctpHeader:]; len(b) >= chunkHeader; {
		kind, flags, length := b[0], b[1], int(binary.BigEndian.Uint16(b[2:]))
		if length < chunkHeader || length > len(b) {
			return "", false
		}
		names = append(names, r.describeChunk(kind, flags, b[:length], again))
		b = b[min(len(b), (length+3)&^3):]
	}
	r.Attrs["sctp ports"] = fmt.Sprintf("%d → %d", src, dst)
	return "SCTP " + strings.Join(names, ", "), true
}

func (r reading) describeChunk(kind, flags byte, b []byte, again bool) string {
	state := &r.said.sctp
	name, known := chunkNames[kind]
	switch {
	case !known:
		return fmt.Sprintf("chunk %d", kind)
	case (kind == chunkInit || kind == chunkInitAck) && len(b) >= 20:
		state.begins(r.dir, binary.BigEndian.Uint32(b[16:])-1)
		r.Attrs["receive window"] = strconv.FormatUint(uint64(binary.BigEndian.Uint32(b[8:])), 10) + " B"
		r.Attrs["streams"] = fmt.Sprintf("%d out, %d in", binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:]))
	case kind == chunkSack && len(b) >= 16:
		return name + r.describeSack(b)
	case (kind == chunkForwardTSN || kind == chunkIForward) && len(b) >= 8:
		return fmt.Sprintf("%s %d", name, binary.BigEndian.Uint32(b[4:])-state.before[r.dir])
	case kind == chunkData && len(b) >= dataHeader:
		return r.describeData(name, flags, b, b[dataHeader:], again)
	case kind == chunkIData && len(b) >= idataHeader:
		return r.describeData(name, flags, b, b[idataHeader:], again)
	}
	return name
}

func (s *sctpState) begins(dir int, before uint32) {
	if !s.begun[dir] {
		s.begun[dir], s.before[dir], s.end[dir] = true, before, before+1
	}
}

// describeSack says up to where all has arrived, and which stretches beyond.
func (r reading) describeSack(b []byte) string {
	base := r.said.sctp.before[1-r.dir]
	upTo := binary.BigEndian.Uint32(b[4:]) - base
	r.Attrs["receive window"] = strconv.FormatUint(uint64(binary.BigEndian.Uint32(b[8:])), 10) + " B"
	var more []string
	gaps := b[16:]
	for range binary.BigEndian.Uint16(b[12:]) {
		if len(gaps) < 4 || len(more) == 4 {
			break
		}
		more = append(more, fmt.Sprintf("%d–%d", upTo+uint32(binary.BigEndian.Uint16(gaps)), upTo+uint32(binary.BigEndian.Uint16(gaps[2:]))))
		gaps = gaps[4:]
	}
	if more != nil {
		r.Attrs["beyond the gap"] = strings.Join(more, ", ")
		return fmt.Sprintf(" %d and %s", upTo, strings.Join(more, ", "))
	}
	return fmt.Sprintf(" %d", upTo)
}

// describeData names a DATA chunk: control messages of data channels by what
// they ask, others by number, stream and size.
func (r reading) describeData(name string, flags byte, b, data []byte, again bool) string {
	state := &r.said.sctp
	tsn, stream := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint16(b[8:])
	// Of a message in pieces only the first I-DATA says what it is.
	ppid, first := binary.BigEndian.Uint32(b[len(b)-len(data)-4:]), flags&dataBegins != 0
	state.begins(r.dir, tsn-1)
	switch {
	case again:
	case before(tsn, state.end[r.dir]):
		r.Note, r.Retransmit = noteRetransmission, true
	default:
		state.end[r.dir] = tsn + 1
	}
	c := Chunk{
		Stream: stream, Unordered: flags&dataUnordered != 0, Message: uint32(binary.BigEndian.Uint16(b[10:])),
		Number: tsn - state.before[r.dir], First: first, Last: flags&dataEnds != 0, Size: len(data),
	}
	if len(b)-len(data) == idataHeader {
		c.Message = binary.BigEndian.Uint32(b[12:])
	}
	r.Chunks = append(r.Chunks, c)
	r.Attrs["stream"], r.Attrs["tsn"] = strconv.Itoa(int(stream)), strconv.FormatUint(uint64(c.Number), 10)
	r.Attrs["order"] = "ordered"
	if c.Unordered {
		r.Attrs["order"] = "unordered"
	}
	if ppid == ppidControl && first && len(data) > 0 {
		return describeDCEP(data, stream)
	}
	if ppid == ppidString && first {
		r.Attrs["payload"] = preview(data)
	}
	piece := ""
	if !c.First || !c.Last {
		piece = ", a piece"
	}
	return fmt.Sprintf("%s %d, stream %d (%d B%s)", name, c.Number, stream, len(data), piece)
}

// describeDCEP names what opens a data channel, RFC 8832 section 5.
func describeDCEP(b []byte, stream uint16) string {
	switch {
	case b[0] == 2:
		return fmt.Sprintf("channel %d: ACK", stream)
	case b[0] == 3 && len(b) >= 12:
		label := b[12:]
		label = label[:min(len(label), int(binary.BigEndian.Uint16(b[8:])))]
		return fmt.Sprintf("channel %d: OPEN %q", stream, preview(label))
	}
	return fmt.Sprintf("channel %d: control message %d", stream, b[0])
}
