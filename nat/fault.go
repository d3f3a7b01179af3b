package nat

import (
	"errors"
	"fmt"

	"github.com/huin/goupnp/soap"
)

// Error codes of the Internet Gateway Device profiles (WANIPConnection:2
// section 2.5, and the UPnP Device Architecture for the general ones).
const (
	codeInvalidAction      = 401
	codeNotAuthorized      = 606
	codeNoSuchEntry        = 714
	codeWildcardExternal   = 716
	codeConflict           = 718
	codeSamePorts          = 724
	codeOnlyPermanent      = 725
	codeNoPortMaps         = 728
	codeOtherMechanism     = 729
	codeWildcardInternal   = 732
	codeActionFailed       = 501
	codeInvalidArgs        = 402
	codeRemoteHostWildcard = 726
)

// Fault is a gateway's refusal of a call.
type Fault struct {
	Code int    // UPnP errorCode
	Text string // the gateway's own words, made fit to be shown
}

// Error tells the code, what it means, and what the gateway says of it.
func (f *Fault) Error() string {
	meaning := map[int]string{
		codeInvalidAction:      "it does not know this action",
		codeInvalidArgs:        "it does not take these arguments",
		codeActionFailed:       "the action failed",
		codeNotAuthorized:      "it does not allow this",
		codeNoSuchEntry:        "there is no such mapping",
		codeWildcardExternal:   "it wants a definite external port",
		codeConflict:           "the external port is taken",
		codeSamePorts:          "it wants the same port inside and outside",
		codeOnlyPermanent:      "it only knows permanent mappings",
		codeRemoteHostWildcard: "it does not filter by remote host",
		codeNoPortMaps:         "it has no room for more mappings",
		codeOtherMechanism:     "the external port is used by something else",
		codeWildcardInternal:   "it wants a definite internal port",
	}[f.Code]
	if meaning == "" {
		meaning = "refused"
	}
	if f.Text == "" {
		return fmt.Sprintf("%s (UPnP error %d)", meaning, f.Code)
	}
	return fmt.Sprintf("%s (UPnP error %d %s)", meaning, f.Code, f.Text)
}

// callError makes of what goupnp returns either a *Fault (the gateway
// answered, and refused) or an error of bounded length (it did not answer, or
// nonsense).
func callError(err error) error {
	if err == nil {
		return nil
	}
	if soapFault, ok := errors.AsType[*soap.SOAPFaultError](err); ok {
		detail := soapFault.Detail.UPnPError
		return &Fault{Code: detail.Errorcode, Text: cleanText(detail.ErrorDescription)}
	}
	return errors.New(cleanTo(err.Error(), maxError))
}

// faultCode is the code of a refusal, or 0.
func faultCode(err error) int {
	if fault, ok := errors.AsType[*Fault](err); ok {
		return fault.Code
	}
	return 0
}

// isFault tells a refusal from silence.
func isFault(err error) bool {
	_, ok := errors.AsType[*Fault](err)
	return ok
}
