package browser

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// console keeps what a page reported.
type console struct {
	mu       sync.Mutex
	lines    []string // everything, for a person to read
	errors   []string
	allowed  []*regexp.Regexp
	requests []string
}

// onEvent runs on the goroutine that reads from the browser, in the order of
// the events.
func (c *console) onEvent(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, arg := range event.Args {
			words = append(words, describe(arg))
		}
		text := strings.Join(words, " ") + origin(event.StackTrace)
		c.addLocked(string(event.Type), text,
			event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeAssert)
	case *runtime.EventExceptionThrown:
		text := event.ExceptionDetails.Text
		if exception := event.ExceptionDetails.Exception; exception != nil {
			text += " " + describe(exception)
		}
		c.addLocked("exception", text+origin(event.ExceptionDetails.StackTrace), true)
	case *log.EventEntryAdded:
		text := event.Entry.Text
		if event.Entry.URL != "" {
			text += " (" + event.Entry.URL + ")"
		}
		c.addLocked(string(event.Entry.Source)+" "+string(event.Entry.Level), text,
			event.Entry.Level == log.EntryLevelError)
	case *inspector.EventTargetCrashed:
		c.addLocked("crash", "the page crashed", true)
	case *network.EventRequestWillBeSent:
		c.requests = append(c.requests, event.Request.URL)
	}
}

func (c *console) addLocked(kind, text string, isError bool) {
	line := kind + ": " + text
	c.lines = append(c.lines, line)
	if isError {
		c.errors = append(c.errors, line)
	}
}

// unexpected lists the errors that were not allowed.
func (c *console) unexpected() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.errors), func(line string) bool {
		return slices.ContainsFunc(c.allowed, func(re *regexp.Regexp) bool { return re.MatchString(line) })
	})
}

// describe is a value as the console would show it, roughly.
func describe(v *runtime.RemoteObject) string {
	switch {
	case v.Description != "":
		return v.Description
	case v.UnserializableValue != "":
		return string(v.UnserializableValue)
	case len(v.Value) > 0:
		return strings.Trim(string(v.Value), `"`)
	}
	return string(v.Type)
}

// origin names the place in the script where a stack trace begins.
func origin(stack *runtime.StackTrace) string {
	if stack == nil || len(stack.CallFrames) == 0 {
		return ""
	}
	top := stack.CallFrames[0]
	return fmt.Sprintf(" (%s:%d)", top.URL, top.LineNumber+1)
}

// AllowErrors says that the test expects errors which match the expression.
// What is matched reads "kind: text (URL)"; the kind is "error" for
// console.error, "exception", "network error", "security error" and so on.
func (p *Page) AllowErrors(expression string) {
	p.console.mu.Lock()
	defer p.console.mu.Unlock()
	p.console.allowed = append(p.console.allowed, regexp.MustCompile(expression))
}

// Errors lists what would fail the test if it ended now.
func (p *Page) Errors() []string {
	p.t.Helper()
	p.settle()
	return p.console.unexpected()
}

// Console is everything the page has reported, a line each.
func (p *Page) Console() []string {
	p.t.Helper()
	p.settle()
	p.console.mu.Lock()
	defer p.console.mu.Unlock()
	return slices.Clone(p.console.lines)
}

// Requests lists the URL of everything the page has asked for, WebSockets
// apart.
func (p *Page) Requests() []string {
	p.t.Helper()
	p.settle()
	p.console.mu.Lock()
	defer p.console.mu.Unlock()
	return slices.Clone(p.console.requests)
}
