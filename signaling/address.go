package signaling

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// roomIDLength is that of crypto/rand.Text.
const roomIDLength = 26

// SocketURL turns the address of a room's page, http(s)://host/rooms/{id},
// into that of its WebSocket. One that is a WebSocket's already is accepted
// too. A path in front of /rooms is kept; query and fragment are dropped.
func SocketURL(page string) (string, error) {
	u, err := url.Parse(page)
	if err != nil {
		return "", fmt.Errorf("signaling: room address: %w", err)
	}
	switch u.Scheme {
	case "http", "ws":
		u.Scheme = "ws"
	case "https", "wss":
		u.Scheme = "wss"
	default:
		return "", fmt.Errorf("signaling: room address: scheme %.20q is not http, https, ws or wss", u.Scheme)
	}
	if u.Host == "" {
		return "", errors.New("signaling: room address: it has no host")
	}
	path := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/ws")
	prefix, room, found := cutLast(path, "/rooms/")
	if !found || !isRoomID(room) {
		return "", errors.New("signaling: room address: it does not end in /rooms/ and the 26 characters of a room")
	}
	return (&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: prefix + "/rooms/" + room + "/ws"}).String(), nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func isRoomID(s string) bool {
	return len(s) == roomIDLength && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
