package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// errHelp ends a run that only had to print help or the version.
var errHelp = errors.New("help was asked for")

// flags is the command line. Every flag is also read from the environment as
// PEERLAB_ and its name in capitals.
type flags struct {
	Addr        string    `default:":8080" placeholder:"HOST:PORT" help:"Where the pages and the signaling listen. Default ${default}."`
	PublicURL   publicURL `placeholder:"URL" help:"The URL people reach this server by, when it is not one of its own addresses (a domain, a reverse proxy)."`
	TurnAddr    string    `default:":3478" placeholder:"HOST:PORT" help:"Where STUN and TURN listen, on UDP and TCP; \"off\" for no relay. Default ${default}."`
	STUNAltAddr string    `name:"stun-alt-addr" default:"auto" placeholder:"HOST:PORT" help:"A second UDP port for STUN, on the address of the first, by which a NAT's behaviour shows; \"off\" for none. auto: the port after that of --turn-addr, if it is free. Default ${default}."`
	RelayIP     relayIP   `name:"relay-ip" default:"auto" placeholder:"IP" help:"The IPv4 address that relayed peers are reached by. auto: the address of the default route, else of the first interface. Default ${default}."`
	RelayPorts  portRange `default:"50000-50999" placeholder:"MIN-MAX" help:"The UDP ports that relayed peers are reached by. Default ${default}."`
	TurnSecret  string    `placeholder:"TEXT" help:"The secret that relay credentials are made from; the same as coturn's static-auth-secret. Random when not set."`
	TurnPeers   string    `default:"auto" enum:"auto,public,lan,any" help:"Which addresses the relay may talk to: auto, public, lan (public and private) or any. auto: lan if the relay's own address is private, else public."`
	ICEServers  string    `name:"ice-servers" placeholder:"FILE|JSON" help:"Use these STUN/TURN servers instead of our own relay: a JSON array of {urls, username, credential}. {host} in a URL is the host the visitor came to. A TURN server without a username gets credentials made from the TURN secret."`
	UPnP        bool      `name:"upnp" help:"Ask the router to forward the HTTP and TURN ports while the server runs."`
	StunServers []string  `default:"stun.cloudflare.com:3478,stun.l.google.com:19302" placeholder:"HOST:PORT" help:"Who to ask for this host's public address; asked only when --upnp is on or someone at this machine presses the button. Default ${default}."`

	MaxPeers       int       `default:"8" help:"Peers in a room, 2 to 64."`
	MaxRuns        int       `default:"16" help:"Runs of labs that go on at a time, 1 to 200."`
	MaxRunsEach    int       `default:"4" help:"How many of them may be one client's: an IPv4 address, such as that of a class behind one router, or an IPv6 /64."`
	LabsOn         string    `default:"loopback" enum:"loopback,lan" help:"Where labs listen for other programs: loopback (this machine only) or lan (this machine's address in the local network, for a class). Default ${default}."`
	Capture        bool      `help:"Let visitors at this very machine capture its packets in the lab on raw packets (needs CAP_NET_RAW)."`
	AllowedHosts   []string  `placeholder:"NAME" help:"Host names to answer to, beside IP addresses, localhost, this machine's name and the public URL's host."`
	TrustedProxies proxyList `placeholder:"CIDR" help:"Reverse proxies whose X-Forwarded-For is believed."`

	LogLevel  string `default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	LogFormat string `default:"text" enum:"text,json" help:"text or json."`

	CheckHealth bool             `help:"Ask the server at --addr whether it is well, and exit 0 or 1."`
	Version     kong.VersionFlag `help:"Print the version."`
}

const description = `Connect two peers across NAT, and watch every layer of the network do it.

Each flag can also be set in the environment: --turn-addr is PEERLAB_TURN_ADDR.`

// parseFlags reads args and the environment. Help goes to stdout.
func parseFlags(args []string, getenv func(string) string, stdout io.Writer) (*flags, error) {
	var f flags
	exited := false
	parser, err := kong.New(&f,
		kong.Name("peerlab"),
		kong.Description(description),
		kong.Vars{"version": version()},
		kong.Writers(stdout, stdout),
		kong.Exit(func(int) { exited = true }),
		kong.Resolvers(environment(getenv)),
	)
	if err != nil {
		return nil, fmt.Errorf("describing the flags: %w", err)
	}
	_, err = parser.Parse(args)
	if exited {
		return nil, errHelp
	}
	if err != nil {
		return nil, fmt.Errorf("%w (--help tells more)", err)
	}
	return &f, f.check()
}

// environment answers for flags that are not on the command line.
func environment(getenv func(string) string) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		name := "PEERLAB_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		if v := getenv(name); v != "" {
			return v, nil
		}
		return nil, nil
	})
}

func (f *flags) check() error {
	if f.MaxPeers < 2 || f.MaxPeers > 64 {
		return fmt.Errorf("--max-peers: %d is not between 2 and 64", f.MaxPeers)
	}
	if f.MaxRuns < 1 || f.MaxRuns > 200 {
		return fmt.Errorf("--max-runs: %d is not between 1 and 200", f.MaxRuns)
	}
	if f.MaxRunsEach < 1 {
		return fmt.Errorf("--max-runs-each: %d is not 1 or more", f.MaxRunsEach)
	}
	if f.TurnSecret != "" && len(f.TurnSecret) < 8 {
		return errors.New("--turn-secret: shorter than 8 characters")
	}
	words := map[string][]string{"--turn-addr": {"off"}, "--stun-alt-addr": {"off", "auto"}}
	for name, addr := range map[string]string{"--addr": f.Addr, "--turn-addr": f.TurnAddr, "--stun-alt-addr": f.STUNAltAddr} {
		if _, _, err := net.SplitHostPort(addr); err != nil && !slices.Contains(words[name], addr) {
			return fmt.Errorf("%s: %q is not like :8080 or 192.0.2.1:8080", name, addr)
		}
	}
	return nil
}

// publicURL is an absolute http(s) URL without path, or nothing.
type publicURL struct{ set *url.URL }

func (p *publicURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if err != nil {
		return err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return fmt.Errorf("%q is not like https://name or http://name:port", text)
	}
	u.Path = ""
	p.set = u
	return nil
}

// relayIP is an IPv4 address; the zero value means auto.
type relayIP struct{ netip.Addr }

func (r *relayIP) UnmarshalText(text []byte) error {
	if string(text) == "auto" {
		return nil
	}
	a, err := netip.ParseAddr(string(text))
	if a = a.Unmap(); err != nil || !a.Is4() || !(a.IsGlobalUnicast() || a.IsLoopback() || a.IsLinkLocalUnicast()) {
		return fmt.Errorf("%q is neither auto nor the IPv4 address of a host", text)
	}
	r.Addr = a
	return nil
}

// network is a range of addresses in CIDR notation.
type network struct{ netip.Prefix }

func (n *network) UnmarshalText(text []byte) error {
	p, err := netip.ParsePrefix(string(text))
	if err != nil {
		return fmt.Errorf("%q is not like 10.0.0.0/8 or 192.0.2.1/32", text)
	}
	n.Prefix = p
	return nil
}

// portRange is MIN-MAX, both included.
type portRange struct{ Min, Max uint16 }

func (p *portRange) UnmarshalText(text []byte) error {
	lo, hi, ok := strings.Cut(string(text), "-")
	a, err1 := strconv.ParseUint(lo, 10, 16)
	b, err2 := strconv.ParseUint(hi, 10, 16)
	if !ok || err1 != nil || err2 != nil || a < 1024 || b < a {
		return fmt.Errorf("%q is not like 50000-50999, with ports from 1024 up", text)
	}
	p.Min, p.Max = uint16(a), uint16(b)
	return nil
}
