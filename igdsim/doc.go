// Package igdsim is a simulated home router's helpfulness: an Internet Gateway
// Device that is found by SSDP and called by SOAP, and NAT-PMP beside it, with
// one table for both. It forwards by whatever NAT it is given; it translates no
// packets itself.
//
//	UDP 1900  M-SEARCH ──▶ answer with LOCATION     UPnP Device Architecture 1.1 section 1.3
//	TCP 5000  GET /igd.xml, POST /control           InternetGatewayDevice:1, WANIPConnection:1
//	UDP 5351  NAT-PMP                               RFC 6886
//	                │
//	              table ──▶ Forwarder (Forward, Unforward)
//
// It is as careful as good routers are, and no more: a client may map ports to
// itself only, and nobody has to say who he is. One outside port goes to one
// port inside. It does not announce itself, sends no events, and has no action
// but those of mapping ports.
package igdsim
