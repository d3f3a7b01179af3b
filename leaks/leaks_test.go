package leaks_test

import (
	"strings"
	"testing"
	"time"

	"peerlab/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func TestWhatEndsALittleLaterIsNoLeak(t *testing.T) {
	ended := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(ended) })
	go func() { <-ended }()
	if err := leaks.Find(); err != nil {
		t.Error(err)
	}
}

func TestWhatDoesNotEndIsTold(t *testing.T) {
	end := make(chan struct{})
	go forgotten(end)
	err := leaks.Find()
	close(end)
	if err == nil || !strings.Contains(err.Error(), "forgotten") {
		t.Errorf("a goroutine that waits forever: %v", err)
	}
}

func forgotten(end <-chan struct{}) { <-end }
