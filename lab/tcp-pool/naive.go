package tcppool

import "context"

// dialer connects to the backend.
type dialer func(ctx context.Context) (*conn, error)

// each is no pool: every request has a connection of its own.
type each struct{ dial dialer }

func (p each) get(ctx context.Context) (*lent, error) {
	c, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &lent{conn: c, give: func(error) { c.Close() }}, nil
}

func (each) close() {}

// naive is the pool one writes first.
type naive struct {
	idle    chan *conn
	dial    dialer
	watcher *watch
}

// region naive
func (p *naive) get(ctx context.Context) (*lent, error) {
	select {
	case c := <-p.idle:
		return p.lend(c), nil // whatever has become of it meanwhile
	default:
		c, err := p.dial(ctx) // and one more, however many there are
		if err != nil {
			return nil, err
		}
		return p.lend(c), nil
	}
}

func (p *naive) put(c *conn) {
	select {
	case p.idle <- c: // also if the request failed
	default:
		c.Close()
	}
}

// endregion

func (p *naive) lend(c *conn) *lent {
	l := &lent{conn: c, reused: c.used}
	c.used = true
	l.give = func(error) {
		p.watcher.idle(c)
		p.put(c)
	}
	return l
}

func (p *naive) close() {
	for {
		select {
		case c := <-p.idle:
			c.Close()
		default:
			return
		}
	}
}
