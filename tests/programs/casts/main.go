// SPDX-License-Identifier: Apache-2.0

// Objects that two typed pointers call by different names: by conversion, which is no contradiction,
// and by unsafe casts, which is one.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct{ n [6]int }

type first struct {
	a, b *item
	n    [2]int
}

type second first

type other struct {
	a *item
	b *[6]int
	n [2]int
}

const (
	nConverted = 5
	nCast      = 7
)

var (
	firsts  [nConverted]*first
	seconds [nConverted]*second
	plains  [nCast]*first
	others  [nCast]*other
)

func main() {
	for i := range firsts {
		firsts[i] = &first{a: new(item), b: new(item)}
		seconds[i] = (*second)(firsts[i])
	}
	for i := range plains {
		plains[i] = &first{a: new(item)}
		others[i] = (*other)(unsafe.Pointer(plains[i]))
	}
	truth.Die("casts")
}
