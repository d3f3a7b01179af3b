package igdsim

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// fault is a refusal with a code of UPnP (WANIPConnection:1 section 2.5).
type fault struct {
	code int
	text string
}

func (f fault) Error() string { return fmt.Sprintf("%d %s", f.code, f.text) }

var (
	faultAction    = fault{401, "Invalid Action"}
	faultArgs      = fault{402, "Invalid Args"}
	faultFailed    = fault{501, "Action Failed"}
	faultForbidden = fault{606, "Action not authorized"}
	faultIndex     = fault{713, "SpecifiedArrayIndexInvalid"}
	faultNoEntry   = fault{714, "NoSuchEntryInArray"}
	faultExternal  = fault{716, "WildCardNotPermittedInExtPort"}
	faultConflict  = fault{718, "ConflictInMappingEntry"}
	faultPermanent = fault{725, "OnlyPermanentLeasesSupported"}
	faultRemote    = fault{726, "RemoteHostOnlySupportsWildcard"}
	faultFull      = fault{728, "NoPortMapsAvailable"}
)

// faultOf is what a client is told of what the table refuses.
func faultOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTaken):
		return faultConflict
	case errors.Is(err, errFull):
		return faultFull
	case errors.Is(err, errNobody):
		return faultNoEntry
	case errors.Is(err, errOthers):
		return faultForbidden
	}
	return faultFailed
}

// result is an argument of an answer, in order.
type result struct{ name, value string }

// call does what a client asks for. Errors are faults.
func (r *Router) call(client netip.Addr, action string, args map[string]string) ([]result, error) {
	switch action {
	case "GetExternalIPAddress":
		return []result{{"NewExternalIPAddress", r.cfg.NAT.External().String()}}, nil
	case "GetStatusInfo":
		return []result{{"NewConnectionStatus", "Connected"}, {"NewLastConnectionError", "ERROR_NONE"}, {"NewUptime", decimal(r.table.age())}}, nil
	case "AddPortMapping":
		return nil, r.addPortMapping(client, args)
	}
	proto, external, ok := portOf(args)
	switch action {
	case "DeletePortMapping":
		if !ok {
			return nil, faultArgs
		}
		return nil, faultOf(r.table.remove(proto, external, client))
	case "GetSpecificPortMappingEntry":
		if !ok {
			return nil, faultArgs
		}
		e, found := r.table.find(proto, external)
		if !found {
			return nil, faultNoEntry
		}
		return inside(e), nil
	case "GetGenericPortMappingEntry":
		index, err := strconv.ParseUint(args["NewPortMappingIndex"], 10, 16)
		if err != nil {
			return nil, faultArgs
		}
		all := r.table.all()
		if index >= uint64(len(all)) {
			return nil, faultIndex
		}
		e := all[index]
		return append([]result{{"NewRemoteHost", ""}, {"NewExternalPort", decimal(e.External)}, {"NewProtocol", strings.ToUpper(e.Proto)}}, inside(e)...), nil
	}
	return nil, faultAction
}

// portOf reads which mapping a call is about.
func portOf(args map[string]string) (proto string, external uint16, ok bool) {
	n, err := strconv.ParseUint(args["NewExternalPort"], 10, 16)
	proto = strings.ToLower(args["NewProtocol"])
	return proto, uint16(n), err == nil && (proto == "tcp" || proto == "udp")
}

// inside tells where an entry leads to.
func inside(e Entry) []result {
	return []result{
		{"NewInternalPort", decimal(e.To.Port())}, {"NewInternalClient", e.To.Addr().String()}, {"NewEnabled", "1"},
		{"NewPortMappingDescription", e.Text}, {"NewLeaseDuration", decimal(e.left(time.Now()))},
	}
}

func (r *Router) addPortMapping(client netip.Addr, args map[string]string) error {
	proto, external, ok := portOf(args)
	internal, err := strconv.ParseUint(args["NewInternalPort"], 10, 16)
	lease, err2 := strconv.ParseUint(args["NewLeaseDuration"], 10, 32)
	to, err3 := netip.ParseAddr(args["NewInternalClient"])
	switch {
	case !ok || internal == 0 || errors.Join(err, err2, err3) != nil:
		return faultArgs
	case args["NewRemoteHost"] != "":
		return faultRemote
	case external == 0:
		return faultExternal
	case to != client:
		return faultForbidden // for others nobody may open ports
	case lease != 0 && r.cfg.OnlyPermanent:
		return faultPermanent
	}
	return faultOf(r.table.add(Entry{
		Proto: proto, External: external, To: netip.AddrPortFrom(to, uint16(internal)),
		Text: args["NewPortMappingDescription"], By: "UPnP", Lease: time.Duration(lease) * time.Second,
	}))
}

func decimal[N ~uint16 | ~uint32](n N) string { return strconv.FormatUint(uint64(n), 10) }
