// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import "net/netip"

type netips struct {
	v4, v6, zoned, mapped, none netip.Addr
	port4, port6, noPort        netip.AddrPort
	net4, net6, noNet           netip.Prefix
}

func addresses() any {
	return &netips{
		v4: netip.MustParseAddr("192.0.2.1"), v6: netip.MustParseAddr("2001:db8::1:0:0:1"),
		zoned: netip.MustParseAddr("fe80::1%eth0"), mapped: netip.MustParseAddr("::ffff:192.0.2.1"),
		port4: netip.MustParseAddrPort("192.0.2.1:80"), port6: netip.MustParseAddrPort("[::1]:65535"),
		net4: netip.MustParsePrefix("10.0.0.0/8"), net6: netip.MustParsePrefix("::/0"),
	}
}
