package turnsrv

import (
	"crypto/hmac"
	"crypto/md5"  // RFC 8489 section 9.2.2 asks for it
	"crypto/sha1" // the REST convention asks for it
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// maxUsername bounds the user name of a request, in bytes. RFC 8489 allows 508,
// but ours are a time and a peer ID.
const maxUsername = 128

// Credentials let one peer use the relay until they expire.
type Credentials struct {
	Username string // "expiry:peerID", expiry in Unix seconds
	Password string // base64(HMAC-SHA1(secret, Username))
	Expires  time.Time
}

// Mint makes credentials by the REST convention for TURN servers
// (draft-uberti-behave-turn-rest-00), which coturn calls use-auth-secret. The
// server that shares the secret needs no other word from us. peerID is shown in
// statistics and counted by quotas; it should be short, visible ASCII.
func Mint(secret []byte, peerID string, expires time.Time) Credentials {
	username := strconv.FormatInt(expires.Unix(), 10) + ":" + peerID
	return Credentials{username, password(secret, username), time.Unix(expires.Unix(), 0)}
}

func password(secret []byte, username string) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// longTermKey is the key of MESSAGE-INTEGRITY by RFC 8489 section 9.2.2.
func longTermKey(secret []byte, username, realm string) []byte {
	sum := md5.Sum([]byte(username + ":" + realm + ":" + password(secret, username)))
	return sum[:]
}

// parseUsername takes "expiry:peerID" apart. It accepts what Mint makes and
// nothing else, so that no name has two spellings.
func parseUsername(username string) (peerID string, expires time.Time, ok bool) {
	digits, peerID, found := strings.Cut(username, ":")
	if !found || peerID == "" || len(username) > maxUsername || len(digits) > 12 {
		return "", time.Time{}, false
	}
	for _, c := range []byte(peerID) {
		if c <= ' ' || c > '~' {
			return "", time.Time{}, false
		}
	}
	seconds, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || strconv.FormatUint(seconds, 10) != digits {
		return "", time.Time{}, false
	}
	return peerID, time.Unix(int64(seconds), 0), true
}
