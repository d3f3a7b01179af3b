package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// hostList decides which Host headers are answered. Names not on it are refused,
// because a page elsewhere can point its own name at this machine (DNS rebinding)
// and would then count as same-origin. An IP address cannot be rebound.
type hostList map[string]bool

func newHostList(machine string, public publicURL, allowed []string) hostList {
	l := hostList{"localhost": true}
	add := func(name string) {
		if name = strings.ToLower(strings.TrimSuffix(name, ".")); name != "" {
			l[name] = true
		}
	}
	for _, name := range allowed {
		add(name)
	}
	if machine != "" {
		add(machine)
		short, _, _ := strings.Cut(machine, ".")
		add(short)
		add(short + ".local")
	}
	if public.set != nil {
		add(public.set.Hostname())
	}
	return l
}

// allows takes a Host header, with or without port.
func (l hostList) allows(host string) bool {
	name := hostName(host)
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return l[name] || strings.HasSuffix(name, ".localhost")
}

// hostName is a Host header without port and brackets.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// sameOrigin tells whether a page of ours asks, or a program that is no browser
// and so sends no Origin. Another site's page may not open our sockets.
func sameOrigin(r *http.Request, public publicURL) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	return strings.EqualFold(u.Host, r.Host) ||
		(public.set != nil && strings.EqualFold(u.Scheme+"://"+u.Host, public.set.String()))
}

// proxyList knows whose X-Forwarded-For to believe.
type proxyList []network

func (l proxyList) trusts(a netip.Addr) bool {
	for _, p := range l {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// clientAddr is the address the request came from: the last one that is not a
// trusted proxy's, read from the right, because everything left of it can be forged.
func (l proxyList) clientAddr(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv6Unspecified()
	}
	client := remote.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && l.trusts(client); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		client = hop.Unmap().WithZone("")
	}
	return client
}
