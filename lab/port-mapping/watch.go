package portmapping

import (
	"strings"

	"peerlab/lab"
	"peerlab/nat"
	"peerlab/trace"
)

// watch records what is said to a router and by it as messages between two lanes.
func watch(r *lab.Run, here, there string) nat.Observer {
	return func(m nat.Message) {
		layer := trace.App
		if m.Protocol == nat.ProtocolHTTP || m.Protocol == nat.ProtocolSOAP {
			layer = trace.HTTP
		}
		from, to := here, there
		if m.Answer {
			from, to = there, here
		}
		attrs := map[string]string{"with": m.Router.String()}
		var text []string
		for _, a := range m.Args {
			attrs[a.Name] = a.Value
			text = append(text, a.Name+" "+a.Value)
		}
		r.Add(trace.Event{
			Kind: trace.Message, Layer: layer, From: from, To: to,
			Name: m.Protocol + " " + m.Name, Text: strings.Join(text, ", "), Attrs: attrs,
		})
	}
}
