package nat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// PMPPort is where a router answers to NAT-PMP (RFC 6886 section 1.1).
const PMPPort = 5351

// Opcodes of NAT-PMP (RFC 6886 section 3); an answer has the request's and 128.
const (
	PMPExternal = 0 // which address do you have outside?
	PMPMapUDP   = 1
	PMPMapTCP   = 2
	pmpAnswer   = 128
)

// PMPResult is the result code of an answer (RFC 6886 section 3.5).
type PMPResult uint16

// The results.
const (
	PMPSuccess            PMPResult = 0
	PMPUnsupportedVersion PMPResult = 1
	PMPNotAuthorized      PMPResult = 2
	PMPNetworkFailure     PMPResult = 3
	PMPOutOfResources     PMPResult = 4
	PMPUnsupportedOpcode  PMPResult = 5
)

// Error says what the code means, but of PMPSuccess.
func (r PMPResult) Error() string {
	meaning := map[PMPResult]string{
		PMPUnsupportedVersion: "it does not know this version",
		PMPNotAuthorized:      "it does not allow this",
		PMPNetworkFailure:     "it has no address outside",
		PMPOutOfResources:     "it has no room for more mappings",
		PMPUnsupportedOpcode:  "it does not know this request",
	}[r]
	if meaning == "" {
		meaning = "refused"
	}
	return fmt.Sprintf("%s (NAT-PMP result %d)", meaning, uint16(r))
}

// errPMP is for datagrams that are not NAT-PMP.
var errPMP = errors.New("not NAT-PMP")

// PMPRequest is what a client asks (RFC 6886 sections 3.2 and 3.3).
type PMPRequest struct {
	Version byte // 0; of others only Opcode is read
	Opcode  byte
	// Of a mapping: the client's port, the outside port it would like (0: any),
	// and for how many seconds (0: not any more).
	Internal, External uint16
	Lifetime           uint32
}

// mapping tells an opcode that has a mapping in it.
func pmpMapping(opcode byte) bool { return opcode == PMPMapUDP || opcode == PMPMapTCP }

// Append writes the request after b: 2 bytes, or 12 of a mapping.
func (r PMPRequest) Append(b []byte) []byte {
	b = append(b, r.Version, r.Opcode)
	if pmpMapping(r.Opcode) {
		b = append(b, 0, 0)
		b = binary.BigEndian.AppendUint16(b, r.Internal)
		b = binary.BigEndian.AppendUint16(b, r.External)
		b = binary.BigEndian.AppendUint32(b, r.Lifetime)
	}
	return b
}

// ParsePMPRequest reads what a router has received. Answers, and what is too
// short, are refused.
func ParsePMPRequest(b []byte) (PMPRequest, error) {
	if len(b) < 2 || b[1] >= pmpAnswer {
		return PMPRequest{}, fmt.Errorf("%w: %d bytes that are no request", errPMP, len(b))
	}
	r := PMPRequest{Version: b[0], Opcode: b[1]}
	if r.Version != 0 || !pmpMapping(r.Opcode) {
		return r, nil
	}
	if len(b) < 12 {
		return PMPRequest{}, fmt.Errorf("%w: a mapping in %d bytes", errPMP, len(b))
	}
	r.Internal, r.External = binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	r.Lifetime = binary.BigEndian.Uint32(b[8:])
	return r, nil
}

// PMPAnswer is what a router answers.
type PMPAnswer struct {
	Opcode byte // of the request
	Result PMPResult
	Epoch  uint32 // seconds since the router's table began: it falls when mappings were lost
	// Of PMPExternal.
	Address netip.Addr
	// Of a mapping: the outside port and the seconds that were granted.
	Internal, External uint16
	Lifetime           uint32
}

// Append writes the answer after b: 12 bytes, or 16 of a mapping; 8 of a
// request that was not understood.
func (a PMPAnswer) Append(b []byte) []byte {
	b = append(b, 0, a.Opcode|pmpAnswer)
	b = binary.BigEndian.AppendUint16(b, uint16(a.Result))
	b = binary.BigEndian.AppendUint32(b, a.Epoch)
	switch {
	case a.Opcode == PMPExternal:
		var address [4]byte
		if a.Address.Is4() {
			address = a.Address.As4()
		}
		b = append(b, address[:]...)
	case pmpMapping(a.Opcode):
		b = binary.BigEndian.AppendUint16(b, a.Internal)
		b = binary.BigEndian.AppendUint16(b, a.External)
		b = binary.BigEndian.AppendUint32(b, a.Lifetime)
	}
	return b
}

// ParsePMPAnswer reads what came back to a request. One that is for another
// request is refused; a refusal by the router is not: see Result.
func ParsePMPAnswer(b []byte, to PMPRequest) (PMPAnswer, error) {
	if len(b) < 4 || b[0] != 0 || b[1] != to.Opcode|pmpAnswer {
		return PMPAnswer{}, fmt.Errorf("%w: %d bytes that do not answer", errPMP, len(b))
	}
	a := PMPAnswer{Opcode: to.Opcode, Result: PMPResult(binary.BigEndian.Uint16(b[2:]))}
	if a.Result != PMPSuccess {
		if len(b) >= 8 {
			a.Epoch = binary.BigEndian.Uint32(b[4:])
		}
		return a, nil // some routers leave out the rest
	}
	if want := 12; len(b) < want || pmpMapping(to.Opcode) && len(b) < 16 {
		return PMPAnswer{}, fmt.Errorf("%w: an answer of %d bytes", errPMP, len(b))
	}
	a.Epoch = binary.BigEndian.Uint32(b[4:])
	if !pmpMapping(to.Opcode) {
		a.Address = netip.AddrFrom4([4]byte(b[8:12]))
		return a, nil
	}
	a.Internal, a.External = binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b[10:])
	a.Lifetime = binary.BigEndian.Uint32(b[12:])
	if a.Internal != to.Internal {
		return PMPAnswer{}, fmt.Errorf("%w: an answer about port %d", errPMP, a.Internal)
	}
	return a, nil
}
