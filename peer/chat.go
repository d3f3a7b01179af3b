package peer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"
)

// Limits of chat.
const (
	MaxChatText = 4000 // characters
	maxChatID   = 64   // characters
	maxBacklog  = 256  // messages not yet confirmed
	seenChats   = 1024 // ids remembered, to show none twice
)

// ErrBacklog says that too many messages wait for their confirmation.
var ErrBacklog = errors.New("too many chat messages wait to be delivered")

// ChatMessage is a text from a remote peer.
type ChatMessage struct{ ID, Text string }

// Chat sends and receives texts. What is not confirmed when a connection is
// lost is sent again over the next one, and an id is shown once.
type Chat struct {
	onMessage func(ChatMessage)

	mu        sync.Mutex
	channel   channel // nil while there is none
	waiting   []chatFrame
	confirmed chan struct{} // closed at the next confirmation, then replaced
	seen      *recent
}

type chatFrame struct {
	T       string `json:"t"`
	ID      string `json:"id,omitempty"`
	Text    string `json:"text,omitempty"`
	Message string `json:"message,omitempty"`
}

func newChat(onMessage func(ChatMessage)) *Chat {
	if onMessage == nil {
		onMessage = func(ChatMessage) {}
	}
	return &Chat{onMessage: onMessage, confirmed: make(chan struct{}), seen: newRecent(seenChats)}
}

// Send sends text now, or when there is a connection again. It does not wait
// for the confirmation; Wait does.
func (c *Chat) Send(text string) error {
	if n := utf8.RuneCountInString(text); n < 1 || n > MaxChatText {
		return fmt.Errorf("a chat message has 1 to %d characters, not %d", MaxChatText, n)
	}
	frame := chatFrame{T: "chat", ID: rand.Text(), Text: text}
	if _, err := encodeFrame(frame); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= maxBacklog {
		return ErrBacklog
	}
	c.waiting = append(c.waiting, frame)
	if c.channel != nil {
		// An error means that the channel ends: the next one repeats it.
		_ = sendFrame(c.channel, frame)
	}
	return nil
}

// Wait returns when all that was sent is confirmed, or ctx ends.
func (c *Chat) Wait(ctx context.Context) error {
	for {
		c.mu.Lock()
		n, confirmed := len(c.waiting), c.confirmed
		c.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-confirmed:
		case <-ctx.Done():
			return fmt.Errorf("%d chat messages not confirmed: %w", n, ctx.Err())
		}
	}
}

// speak speaks chat on ch until that ends.
func (c *Chat) speak(_ context.Context, ch channel) error {
	c.mu.Lock()
	c.channel = ch
	for _, frame := range c.waiting {
		_ = sendFrame(ch, frame)
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.channel == ch {
			c.channel = nil
		}
	}()
	return converse(ch, func(data []byte, text bool) error { return c.handle(ch, data, text) })
}

func (c *Chat) handle(ch channel, data []byte, text bool) error {
	if !text {
		return violation("chat has no binary messages")
	}
	var f chatFrame
	if err := decodeFrame(data, &f); err != nil {
		return err
	}
	switch f.T {
	case "chat":
		return c.receive(ch, f)
	case "got":
		c.confirm(f.ID)
	case "error":
		return refused(f.Message)
	case "":
		return violation("a frame without t")
	}
	return nil
}

func (c *Chat) receive(ch channel, f chatFrame) error {
	if n := utf8.RuneCountInString(f.ID); n < 1 || n > maxChatID {
		return violation(fmt.Sprintf("chat: id has 1 to %d characters", maxChatID))
	}
	if n := utf8.RuneCountInString(f.Text); n < 1 || n > MaxChatText {
		return violation(fmt.Sprintf("chat: text has 1 to %d characters", MaxChatText))
	}
	c.mu.Lock()
	_, seen := c.seen.get(f.ID)
	c.seen.put(f.ID, "")
	c.mu.Unlock()
	if !seen {
		c.onMessage(ChatMessage{ID: f.ID, Text: f.Text})
	}
	return sendFrame(ch, chatFrame{T: "got", ID: f.ID})
}

func (c *Chat) confirm(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.waiting, func(f chatFrame) bool { return f.ID == id })
	if i < 0 {
		return
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	close(c.confirmed)
	c.confirmed = make(chan struct{})
}
