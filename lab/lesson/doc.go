// Package lesson turns the lesson of a lab, written in Markdown beside its
// code, into sections of safe HTML, with the code that runs put in its place.
//
//	lab.md ──▶ goldmark ──▶ check ──▶ sections ──▶ HTML
//	                                     ▲
//	*.go ──▶ regions ──▶ highlighted ────┘  ```go region=accept
//
// The HTML has classes and neither style nor script, so that it can be served
// under a policy that allows no inline ones: raw HTML and pictures in a lesson
// are errors, as are links to anything but https, the own site and the page.
//
// It writes no style sheet. Its classes are: code (a figure with its caption),
// predict (a question whose answer opens), and for Go code tok-keyword,
// tok-string, tok-number, tok-comment and tok-call.
package lesson
