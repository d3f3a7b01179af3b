package web

import "net/http"

// mapPorts opens (on=true) or closes (on=false) the gateway's port mappings.
func (s *site) mapPorts(w http.ResponseWriter, r *http.Request) error {
	if s.MapPorts == nil {
		return errNotFound
	}
	if !s.local(r) {
		return errNotLocal
	}
	on := r.PostFormValue("on")
	if on != "true" && on != "false" {
		return &failure{Status: http.StatusUnprocessableEntity, Title: "Open or close?",
			Detail: "The field “on” must be true or false."}
	}
	if err := s.MapPorts(r.Context(), on == "true"); err != nil {
		return errUnavailable("The router did not play along", err)
	}
	return done(w, r, "/#mapping")
}

// checkNAT starts a measurement; its outcome shows in the status.
func (s *site) checkNAT(w http.ResponseWriter, r *http.Request) error {
	if s.CheckNAT == nil {
		return errNotFound
	}
	if !s.local(r) {
		return errNotLocal
	}
	if err := s.CheckNAT(r.Context()); err != nil {
		return errUnavailable("The NAT could not be checked", err)
	}
	return done(w, r, "/#nat")
}
