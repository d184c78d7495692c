// SPDX-License-Identifier: Apache-2.0

// Buffers of which only pieces are held, as parsers leave them behind: more of them than goheap keeps
// notes about.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

const (
	nBuffers = 100_000
	nRecords = 20_000
	size     = 80
)

// Has no pointers, and bytes in its middle that are held as a slice: a record all the same.
type record struct {
	n    [3]int64
	name [56]byte
}

var (
	heads, tails [nBuffers][]byte // of the same buffers
	names        [nBuffers]string
	records      [nRecords]*record
	inside       [nRecords][]byte
)

func main() {
	for i := range heads {
		buffer := make([]byte, size)
		heads[i], tails[i] = buffer[8:16:16], buffer[20:30:30]
		text := make([]byte, size)
		names[i] = unsafe.String(&text[4], 10)
	}
	for i := range records {
		records[i] = &record{n: [3]int64{int64(i)}}
		inside[i] = records[i].name[:]
	}
	truth.Die("cuttings")
}
