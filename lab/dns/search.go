package dnslab

import (
	"strings"

	"github.com/miekg/dns"
)

// region search

// candidates are the full names that a name as people write it may mean, in
// the order they are asked for. A name with a dot at its end is complete. One
// with fewer dots than ndots is taken for a short one first, others last.
func candidates(name string, search []string, ndots int) []string {
	if dns.IsFqdn(name) {
		return []string{name}
	}
	asIs := name + "."
	var all []string
	for _, suffix := range search {
		all = append(all, name+"."+dns.Fqdn(suffix))
	}
	if strings.Count(name, ".") >= ndots {
		return append([]string{asIs}, all...)
	}
	return append(all, asIs)
}

// endregion
