package peer

// recent is a set of the last max strings put into it.
type recent struct {
	max   int
	order []string
	has   map[string]string
}

func newRecent(max int) *recent { return &recent{max: max, has: map[string]string{}} }

// put remembers key with a value and forgets the oldest above the bound.
func (r *recent) put(key, value string) {
	if _, known := r.has[key]; !known {
		if len(r.order) == r.max {
			delete(r.has, r.order[0])
			r.order = r.order[1:]
		}
		r.order = append(r.order, key)
	}
	r.has[key] = value
}

func (r *recent) get(key string) (value string, ok bool) {
	value, ok = r.has[key]
	return value, ok
}

func (r *recent) forget(key string) {
	if _, known := r.has[key]; !known {
		return
	}
	delete(r.has, key)
	for i, k := range r.order {
		if k == key {
			r.order = append(r.order[:i:i], r.order[i+1:]...)
			return
		}
	}
}
