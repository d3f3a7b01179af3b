// Package portmapping is a lab: a program at home opens a port in its router, by
// UPnP and by NAT-PMP, and closes it again, or does not.
package portmapping
