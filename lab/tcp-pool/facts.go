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

// verdict says in a sentence what this way has come to so far.
func (s *stage) verdict() {
	told := s.told
	switch {
	case s.way == dialEach && told[crowd]+told[leak] > 0:
		s.run.Verdict(lab.Warn, "%d connections for %d requests, a handshake each; and nothing bounds how many are open, so the backend refused some.", told[cost], s.p.Requests)
	case s.way == dialEach:
		s.run.Verdict(lab.Warn, "Never a stale connection, but %d of them for %d requests: each pays a handshake.", told[cost], s.p.Requests)
	case told[restart] > 0 && told[late] > 0:
		s.run.Verdict(lab.Bad, "It lends whatever is in it: %d requests failed on connections that the backend had closed, and %d got the answer to another one.", told[restart], told[late])
	case told[restart]+told[late]+told[crowd]+told[leak] > 0:
		s.run.Verdict(lab.Bad, "Requests failed: %d in the crowd, %d got the answer to another one, %d behind the leak, %d after the restart.", told[crowd], told[late], told[leak], told[restart])
	default:
		s.run.Verdict(lab.Good, "Bounded, looked at before they are lent, and lent for a time: nobody was handed a dead connection or the answer to another request.")
	}
}
