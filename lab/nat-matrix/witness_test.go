package natmatrix

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun"
	"github.com/pion/transport/v2"
	"github.com/pion/transport/v2/vnet"
	"github.com/pion/turn/v2"

	"peerlab/nat"
	"peerlab/netsim"
)

// A witness that shares no line with our NATs: Pion's virtual network, with NATs
// of its own. The same agents have to come to the same table on it.

const witnessServer = "1.2.3.4"

// otherNAT is a kind in the words of that network.
func (k Kind) otherNAT() vnet.NATType {
	word := func(d netsim.Dependence) vnet.EndpointDependencyType {
		switch d {
		case netsim.AddressDependent:
			return vnet.EndpointAddrDependent
		case netsim.AddressAndPortDependent:
			return vnet.EndpointAddrPortDependent
		}
		return vnet.EndpointIndependent
	}
	c := k.config()
	return vnet.NATType{MappingBehavior: word(c.Mapping), FilteringBehavior: word(c.Filtering)}
}

func TestAnotherNetworkComesToTheSameTable(t *testing.T) {
	type job struct {
		a, b Kind
		pair *pair
		end  func()
	}
	var jobs []job
	var running sync.WaitGroup
	for i, a := range Kinds { // one after the other: that network counts its hosts without a lock
		for _, b := range Kinds[i:] {
			nets, end := otherInternet(t, a, b)
			server := func(string) []*stun.URI {
				return []*stun.URI{{Scheme: stun.SchemeTypeSTUN, Host: witnessServer, Port: 3478, Proto: stun.ProtoTypeUDP}}
			}
			p, err := pairOn(nets, server, patience(netsim.Link{}), silent{}, func(f func(context.Context) error) {
				running.Go(func() { _ = f(t.Context()) })
			})
			if err != nil {
				t.Fatal(err)
			}
			jobs = append(jobs, job{a, b, p, end})
		}
	}
	var all sync.WaitGroup
	for _, j := range jobs {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			out, err := j.pair.connect(ctx)
			if err != nil {
				t.Errorf("%s with %s: %v", j.a, j.b, err)
			}
			if want := nat.Predict(j.a.behavior(), j.b.behavior(), false).Outcome; out.kind != want {
				t.Errorf("%s with %s: %s there, %s by our rule", j.a, j.b, out.kind, want)
			}
		})
	}
	all.Wait()
	for _, j := range jobs {
		j.pair.close()
		j.end()
	}
	running.Wait()
}

// otherInternet is a virtual network with a STUN server and a host for each of
// two peers.
func otherInternet(t *testing.T, kinds ...Kind) (nets [2]transport.Net, end func()) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	quiet := &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
	wan, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "0.0.0.0/0", LoggerFactory: quiet})
	must(err)
	server, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{witnessServer}})
	must(err)
	must(wan.AddNet(server))
	for i, k := range kinds {
		outside := fmt.Sprintf("27.1.1.%d", i+1)
		if k == Open {
			host, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{outside}})
			must(err)
			must(wan.AddNet(host))
			nets[i] = host
			continue
		}
		kind := k.otherNAT()
		lan, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: fmt.Sprintf("192.168.%d.0/24", i+1), StaticIPs: []string{outside}, NATType: &kind, LoggerFactory: quiet})
		must(err)
		if k == UDPBlocked {
			lan.AddChunkFilter(func(vnet.Chunk) bool { return false })
		}
		host, err := vnet.NewNet(&vnet.NetConfig{})
		must(err)
		must(lan.AddNet(host))
		must(wan.AddRouter(lan))
		nets[i] = host
	}
	must(wan.Start())
	conn, err := server.ListenPacket("udp4", witnessServer+":3478")
	must(err)
	answers, err := turn.NewServer(turn.ServerConfig{
		Realm: "witness", LoggerFactory: quiet, AuthHandler: func(string, string, net.Addr) ([]byte, bool) { return nil, false },
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: conn, RelayAddressGenerator: &turn.RelayAddressGeneratorNone{Address: witnessServer, Net: server}}},
	})
	must(err)
	return nets, func() {
		_ = answers.Close()
		_ = wan.Stop()
	}
}
