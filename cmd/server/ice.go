package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"peerlab/signaling/envelope"
	"peerlab/turnsrv"
)

// maxICEServers bounds what --ice-servers may list.
const maxICEServers = 16

// credentialTTL is how long relay credentials last; they are renewed at half of it.
const credentialTTL = 2 * time.Hour

// ownICEServers is how our relay is offered: by the host by which the peer
// reached the signaling, so that it reaches the relay too.
func ownICEServers(cred turnsrv.Credentials, listen netip.AddrPort, relayIP netip.Addr, host string) []envelope.ICEServer {
	hostPort := net.JoinHostPort(reachable(listen, relayIP, host), strconv.Itoa(int(listen.Port())))
	return []envelope.ICEServer{
		{URLs: []string{"stun:" + hostPort}},
		{
			URLs:       []string{"turn:" + hostPort + "?transport=udp", "turn:" + hostPort + "?transport=tcp"},
			Username:   cred.Username,
			Credential: cred.Password,
		},
	}
}

// reachable replaces loopback names: browsers gather no loopback candidates, and
// not every system routes from a LAN address to 127.0.0.1.
func reachable(listen netip.AddrPort, relayIP netip.Addr, host string) string {
	if ip := listen.Addr().Unmap(); !ip.IsUnspecified() {
		return ip.String()
	}
	name := hostName(host)
	ip, err := netip.ParseAddr(name)
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") || (err == nil && ip.IsLoopback()) {
		return relayIP.String()
	}
	return name
}

// externalICE offers somebody else's servers.
type externalICE struct {
	list   []envelope.ICEServer
	secret []byte
}

func (e externalICE) servers(peerID, host string) ([]envelope.ICEServer, time.Duration) {
	cred := turnsrv.Mint(e.secret, peerID, time.Now().Add(credentialTTL))
	host = hostName(host)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	out := make([]envelope.ICEServer, len(e.list))
	for i, s := range e.list {
		urls := make([]string, len(s.URLs))
		for j, u := range s.URLs {
			urls[j] = strings.ReplaceAll(u, "{host}", host)
		}
		s.URLs = urls
		if needsCredential(s) {
			s.Username, s.Credential = cred.Username, cred.Password
		}
		out[i] = s
	}
	return out, credentialTTL
}

func needsCredential(s envelope.ICEServer) bool {
	return s.Username == "" && len(s.URLs) > 0 && strings.HasPrefix(s.URLs[0], "turn")
}

// readICEServers takes the value of --ice-servers: JSON, or the name of a file with it.
func readICEServers(value string, secret []byte) (*externalICE, error) {
	data := []byte(value)
	if !strings.HasPrefix(strings.TrimSpace(value), "[") {
		var err error
		if data, err = os.ReadFile(value); err != nil {
			return nil, fmt.Errorf("--ice-servers: %w", err)
		}
	}
	var list []envelope.ICEServer
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("--ice-servers: not a JSON array of {urls, username, credential}: %w", err)
	}
	if len(list) == 0 || len(list) > maxICEServers {
		return nil, fmt.Errorf("--ice-servers: %d entries, want 1 to %d", len(list), maxICEServers)
	}
	for i, s := range list {
		if err := checkICEServer(s, len(secret) > 0); err != nil {
			return nil, fmt.Errorf("--ice-servers: entry %d: %w", i+1, err)
		}
	}
	return &externalICE{list: list, secret: secret}, nil
}

func checkICEServer(s envelope.ICEServer, secret bool) error {
	if len(s.URLs) == 0 {
		return errors.New("urls is empty")
	}
	for _, u := range s.URLs {
		scheme, rest, _ := strings.Cut(u, ":")
		switch scheme {
		case "stun", "stuns", "turn", "turns":
		default:
			return fmt.Errorf("%q does not begin with stun:, stuns:, turn: or turns:", u)
		}
		if rest == "" || strings.HasPrefix(rest, "//") {
			return fmt.Errorf("%q is not like turn:name:3478", u)
		}
		if scheme[:4] != s.URLs[0][:4] {
			return errors.New("stun and turn URLs belong in entries of their own")
		}
	}
	if needsCredential(s) && !secret {
		return errors.New("a TURN server needs a username and credential, or --turn-secret")
	}
	return nil
}
