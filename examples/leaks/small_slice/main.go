// SPDX-License-Identifier: Apache-2.0

// # A few bytes of a large array
//
// A slice keeps the whole array behind it. Sixteen bytes of header keep each message of a megabyte.
//
//	goheap retained --by global -n 1
//	goheap top -n 1
//	goheap paths '[]uint8' -n 3
//
// Fix: copy what is kept, `bytes.Clone(message[:16])`, `strings.Clone`.
package main

import "goheap.example/leaks/die"

var headers [][]byte

func receive() []byte { return make([]byte, 1<<20) }

func main() {
	for range 64 {
		message := receive()
		headers = append(headers, message[:16])
	}
	die.Now()
}
