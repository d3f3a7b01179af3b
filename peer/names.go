package peer

import (
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the most bytes of a safe name: file systems take 255, and a
// number and the endings of a partial file come on top.
const maxName = 200

// SafeName makes a file name of one that a remote peer chose: no directories,
// nothing hidden, no control or invisible characters, nothing that Windows
// refuses, nothing that looks like one of our partial files, and not too
// long. A harmless name comes back as it is.
func SafeName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.C, r), r == '\u2028', r == '\u2029':
			return -1 // controls, and marks that turn the reading direction
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, name)
	name = strings.TrimLeft(name, ". ")
	name = strings.TrimRight(name, ". ")
	if strings.HasSuffix(name, partEnding) || strings.HasSuffix(name, partEnding+sidecarEnding) {
		name += "_"
	}
	if reserved(name) {
		name = "_" + name
	}
	if name == "" {
		return "file"
	}
	ext := filepath.Ext(name)
	if len(ext) > 20 {
		ext = ""
	}
	return shorten(strings.TrimSuffix(name, ext), maxName-len(ext)) + ext
}

// bareName makes a name for an offer of one that this machine allows: the
// other side may refuse separators and control characters.
func bareName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
}

// shorten cuts s to at most n bytes at the border of a character.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// reserved tells whether name means a device on Windows, whatever its ending.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch stem {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "COM") || strings.HasPrefix(stem, "LPT")) &&
		stem[3] >= '0' && stem[3] <= '9'
}
