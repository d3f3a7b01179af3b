package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"
)

// identityLife is how long one certificate is used. Pion makes them valid for
// a month.
const identityLife = 14 * 24 * time.Hour

// Identity holds the certificate for DTLS, whose fingerprint travels in the
// session description. It is made once, before anybody waits for it, and
// anew after two weeks, for processes that live long. Peers may share one.
type Identity struct {
	mu          sync.Mutex
	certificate webrtc.Certificate
	made        time.Time
}

// NewIdentity makes the first certificate.
func NewIdentity() (*Identity, error) {
	i := &Identity{}
	if _, err := i.current(); err != nil {
		return nil, err
	}
	return i, nil
}

func (i *Identity) current() (webrtc.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.made.IsZero() && time.Since(i.made) < identityLife {
		return i.certificate, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make a key for DTLS: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make a certificate for DTLS: %w", err)
	}
	i.certificate, i.made = *certificate, time.Now()
	return i.certificate, nil
}
