package tcppool

import "peerlab/lab"

// facts tells what was counted over the whole run.
func (s *stage) facts() {
	dialled, _ := s.app.watch.count("")
	s.run.Fact("connections dialled, in all", float64(dialled), "connections")
	if s.way != puddleWay {
		return
	}
	for _, f := range []struct{ name, why string }{
		{"found dead by the probe", isClosed},
		{"replaced for their age", tooOld},
		{"closed for being idle", tooIdle},
		{"taken back from who forgot them", overdue},
	} {
		_, n := s.app.watch.count(f.why)
		s.run.Fact(f.name, float64(n), "connections")
	}
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	s.run.Fact("requests sent a second time", float64(s.app.seconds), "requests")
}

// told is what the verdict is made of: how the scenes went so far.
type told struct {
	connections, answered  int    // of the requests one after another
	why                    string // one of these failed
	crowd, leak, restart   int    // requests that failed
	wrong                  int    // got the answer to another request
	dead                   int    // were lent a connection that the backend had closed
	refused, refusedBehind int    // by the backend: in the crowd, and behind the leak
}

// verdict says in a sentence what this way has come to so far.
func (s *stage) verdict() {
	t := s.told
	switch {
	case t.answered == 0 && t.why != "":
		s.run.Verdict(lab.Warn, "Not one request was answered, not even one after another: %s. Nothing can be told of the pool.", t.why)
	case s.way == dialEach && t.refused+t.refusedBehind > 0:
		s.run.Verdict(lab.Warn, "%d connections for %d requests, a handshake each; and nothing bounds how many are open, so the backend refused some.", t.connections, s.p.Requests)
	case s.way == dialEach:
		s.run.Verdict(lab.Warn, "Never a stale connection, but %d of them for %d requests: each pays a handshake.", t.connections, s.p.Requests)
	case s.way == naiveWay && t.dead > 0 && t.wrong > 0:
		s.run.Verdict(lab.Bad, "It lends whatever is in it: %d requests failed on connections that the backend had closed, and %d got the answer to another one.", t.dead, t.wrong)
	case t.restart+t.wrong+t.crowd+t.leak > 0:
		s.run.Verdict(lab.Bad, "Requests failed: %d in the crowd, %d got the answer to another one, %d behind the leak, %d after the restart.", t.crowd, t.wrong, t.leak, t.restart)
	case s.way == naiveWay:
		s.run.Verdict(lab.Warn, "Nothing went wrong this time. It is not bounded, and looks at nothing that it lends.")
	case s.p.Probe == "none":
		s.run.Verdict(lab.Good, "Bounded, and lent for a time. Nothing is looked at before it is lent, but a request on a dead connection is sent once more.")
	default:
		s.run.Verdict(lab.Good, "Bounded, looked at before they are lent, and lent for a time: nobody was handed a dead connection or the answer to another request.")
	}
}
