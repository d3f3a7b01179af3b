package nat

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRestartOfTheRouter(t *testing.T) {
	for name, change := range map[string]func(*router){
		"restarted":       func(r *router) { clear(r.table); r.booted = time.Now() },
		"lost its table":  func(r *router) { clear(r.table) },
		"another address": func(r *router) { clear(r.table); r.external = "198.51.100.8" },
		// The same of a router that does not tell what it has mapped.
		"restarted, tells no mappings":       func(r *router) { clear(r.table); r.booted = time.Now(); r.noLookup = true },
		"another address, tells no mappings": func(r *router) { clear(r.table); r.external = "198.51.100.8"; r.noLookup = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRouter()
				m, end := startMapper(t, finds(r), web, turnUDP)
				pass(5 * time.Minute)
				r.set(func() { change(r) })
				pass(time.Minute + time.Second)
				if r.has("TCP", 8080) == "" || r.has("UDP", 3478) == "" {
					t.Error("not mapped again within a minute")
				}
				if got := wantState(t, m, StateMapped).Gateway.External.String(); got != r.external {
					t.Errorf("shows external %s, router has %s", got, r.external)
				}
				end()
			})
		})
	}
}

func TestAnotherRouterTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := newRouter(), newRouter()
		finder := finds(old)
		m, end := startMapper(t, finder, web)
		old.set(func() { old.mute = true })
		finder.set()
		pass(5 * time.Minute)
		wantState(t, m, StateNoGateway)
		finder.set(fresh)
		pass(time.Minute + time.Second)
		wantState(t, m, StateMapped)
		if fresh.has("TCP", 8080) == "" {
			t.Error("not mapped in the new router")
		}
		end()
		if fresh.has("TCP", 8080) != "" {
			t.Error("left in the new router")
		}
	})
}

func TestSameRouterAgainKeepsItsPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.table["TCP 8080"] = held{client: "192.168.1.99", port: 80}
		m, end := startMapper(t, finds(r), web)
		port := m.Status().Mappings[0].External
		r.set(func() { r.mute = true })
		pass(6 * time.Minute)
		r.set(func() { r.mute = false })
		pass(2 * time.Minute)
		if got := wantState(t, m, StateMapped).Mappings[0].External; got != port {
			t.Errorf("external %d, was %d", got, port)
		}
		end()
		if len(r.table) != 1 {
			t.Errorf("table after Run: %v", r.table)
		}
	})
}

func TestRemovesOnlyWhatIsStillOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		_, end := startMapper(t, finds(r), web, turnUDP)
		r.set(func() { r.table["TCP 8080"] = held{client: "192.168.1.99", port: 80} })
		end()
		if r.has("TCP", 8080) != "192.168.1.99:80" || r.has("UDP", 3478) != "" {
			t.Errorf("table after Run: %v", r.table)
		}
	})
}

func TestForeignMappingIsUsedAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.table["TCP 8080"] = held{client: "192.168.1.10", port: 8080, text: "made by hand"}
		m, end := startMapper(t, finds(r), web)
		got := wantState(t, m, StateMapped).Mappings[0]
		if !got.Mapped || !got.Foreign || got.External != 8080 {
			t.Errorf("mapping %+v", got)
		}
		pass(time.Hour)
		end()
		if len(r.granted()) != 0 || r.has("TCP", 8080) == "" {
			t.Errorf("granted %v; table %v", r.granted(), r.table)
		}
	})
}

func TestMappingLeftByACrashIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.table["TCP 8080"] = held{client: "192.168.1.10", port: 8080, text: web.Description}
		m, end := startMapper(t, finds(r), web)
		if got := wantState(t, m, StateMapped).Mappings[0]; got.Foreign || got.External != 8080 {
			t.Errorf("mapping %+v", got)
		}
		end()
		if r.has("TCP", 8080) != "" {
			t.Error("left after Run")
		}
	})
}

func TestRouterThatTellsNoMappings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.noLookup = true
		r.table["TCP 8080"] = held{client: "192.168.1.99", port: 80}
		m, end := startMapper(t, finds(r), web)
		pass(time.Hour)
		if got := wantState(t, m, StateMapped).Mappings[0]; r.has("TCP", got.External) != "192.168.1.10:8080" {
			t.Errorf("mapping %+v", got)
		}
		end()
		if len(r.table) != 1 {
			t.Errorf("table after Run: %v", r.table)
		}
	})
}

func TestMappingWhoseAnswerWasLostIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.cutOff = true
		m, end := startMapper(t, finds(r), web)
		wantState(t, m, StateFailed)
		if r.has("TCP", 8080) == "" {
			t.Fatal("the fake router did not map")
		}
		end()
		if r.has("TCP", 8080) != "" {
			t.Error("left after Run")
		}
	})
}

func TestRouterThatWillNotRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.noRenewal = true
		m, end := startMapper(t, finds(r), web)
		for range 60 {
			pass(time.Minute)
			if got := wantState(t, m, StateMapped).Mappings[0]; got.External != 8080 || r.has("TCP", 8080) != "192.168.1.10:8080" {
				t.Fatalf("mapping %+v", got)
			}
		}
		end()
	})
}

func TestMuteRouterDoesNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		relay, err := RelayMappings(50000, 50999, 60)
		if err != nil {
			t.Fatal(err)
		}
		m, end := startMapper(t, finds(r), relay...)
		wantState(t, m, StateMapped)
		r.set(func() { r.mute = true })
		pass(time.Minute + time.Second)
		start := time.Now()
		m.Disable()
		pass(removeTime)
		s := wantState(t, m, StateOff)
		if !strings.Contains(s.Reason, "could not be removed") || !strings.Contains(s.Reason, "forgets it at") {
			t.Errorf("reason %q", s.Reason)
		}
		end()
		if took := time.Since(start); took > removeTime {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestSlowRouterIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter()
		r.slow = 100 * time.Millisecond
		relay, err := RelayMappings(50000, 50999, MaxMappings)
		if err != nil {
			t.Fatal(err)
		}
		m, end := startMapper(t, finds(r), relay...)
		pass(30 * time.Second)
		wantState(t, m, StateMapped)
		if len(r.granted()) != MaxMappings {
			t.Fatalf("%d mapped", len(r.granted()))
		}
		end()
		if len(r.table) != 0 {
			t.Errorf("%d mappings are left after Run; %s", len(r.table), m.Status().Reason)
		}
	})
}
