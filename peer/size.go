package peer

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrSize says that a text is no size.
var ErrSize = errors.New("not a size: say 500000, 20MB or 1GiB")

// ParseSize reads a number of bytes as people write it: with a decimal unit
// (k, M, G, T, with or without a B) or a binary one (KiB, MiB, GiB, TiB).
func ParseSize(s string) (int64, error) {
	s = strings.TrimSpace(s)
	digits := strings.TrimRight(s, "bBiIkKmMgGtT ")
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil || number < 0 || math.IsInf(number, 0) || math.IsNaN(number) {
		return 0, ErrSize
	}
	unit := strings.ToLower(strings.TrimSpace(s[len(digits):]))
	base := 1000.0
	if strings.Contains(unit, "i") {
		base = 1024
	}
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	power := map[string]int{"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
	n, ok := power[unit]
	size := number * math.Pow(base, float64(n))
	if !ok || size > maxFileSize {
		return 0, ErrSize
	}
	return int64(size), nil
}

// FormatSize writes a number of bytes with three digits and a decimal unit.
func FormatSize(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		v /= 1000
		if v < 999.5 || unit == "TB" {
			return fmt.Sprintf("%.3g %s", v, unit)
		}
	}
	return ""
}
