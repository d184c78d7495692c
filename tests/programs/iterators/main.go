// SPDX-License-Identifier: Apache-2.0

// Iterators and coroutines, suspended in the middle (Go 1.23 and later; before that only the
// goroutine that generates values for a channel).
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

var generated chan *item

func kept() *item {
	p := new(item)
	truth.Keep(unsafe.Pointer(p))
	return p
}

func dropped() *item {
	p := new(item)
	truth.Plant(unsafe.Pointer(p))
	return p
}

func generate() {
	for last := kept(); ; last = kept() {
		truth.Parked()
		generated <- last
	}
}

func main() {
	truth.Sheds("main.plant")
	truth.Sheds("main.inBody")
	generated = make(chan *item)
	truth.Stay(generate)
	build()
	truth.Garbage(plant)
	truth.Die("iterators")
}
