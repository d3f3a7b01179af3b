package netlab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"peerlab/e2e/proc"
	"peerlab/need"
)

// UPnP starts miniupnpd on the router: a UPnP Internet Gateway Device (and
// NAT-PMP) for the LAN, which opens ports in the router's own packet filter.
// It runs until the test ends.
func (r *Router) UPnP() *proc.Process {
	t := r.lab.t
	t.Helper()
	path := need.Tool(t, "miniupnpd", "miniupnpd-nftables")
	dir := t.TempDir()
	config := filepath.Join(dir, "miniupnpd.conf")
	r.lab.must(os.WriteFile(config, fmt.Appendf(nil, `ext_ifname=%s
listening_ip=%s
enable_upnp=yes
enable_natpmp=yes
ipv6_disable=yes
secure_mode=yes
friendly_name=Peerlab test router
lease_file=%s
upnp_table_name=filter
upnp_nat_table_name=filter
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
allow 1024-65535 0.0.0.0/0 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
`, nic, bridge, filepath.Join(dir, "leases")), 0o600))
	// -d stays in the foreground and says what it does.
	cmd := exec.Command(path, "-d", "-f", config, "-P", filepath.Join(dir, "pid"))
	r.Enter(cmd)
	daemon := proc.Start(t, "miniupnpd", cmd)
	// The last socket it opens: by then it answers searches.
	daemon.WaitLine("Listening for NAT-PMP", 10*time.Second)
	return daemon
}
