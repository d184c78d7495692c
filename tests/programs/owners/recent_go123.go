// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import (
	"unique"
	"unsafe"

	"goheap.test/programs/truth"
)

type place struct {
	n [20]int
}

var handle unique.Handle[place]

// deferInRange has defers in the body of a loop over a function: they belong to this function.
func deferInRange() {
	const g = "go main.deferInRange"
	for i := range upTo3 {
		d := [...]truth.Holder{"defer main.deferInRange*#1", "defer main.deferInRange*#2",
			"defer main.deferInRange*#3"}[i]
		p := deferred(d, g, i+1)
		f := func() { use(p) }
		hasFunc(d, g, f)
		defer f()
	}
	truth.Park()
}

//go:noinline
func upTo3(yield func(int) bool) {
	_ = yield(0) && yield(1) && yield(2)
}

func buildRecent() {
	truth.Stay(deferInRange)
	handle = unique.Make(place{[20]int{7}})
	truth.Holder("main.handle").Has(*(*unsafe.Pointer)(unsafe.Pointer(&handle)))
}
