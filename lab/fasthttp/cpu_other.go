//go:build !unix

package fasthttp

import "time"

// processTime is not asked for here.
func processTime() time.Duration { return 0 }
