// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package main

import (
	"runtime"
	"unsafe"
	"weak"

	"goheap.test/programs/truth"
)

type cleaned struct {
	items [4]*item
	pad   [80]int
}

var (
	cleaneds [each]*cleaned
	weakly   [each]weak.Pointer[cleaned]
	inside   [each]weak.Pointer[*item]
	stopped  runtime.Cleanup
)

func newCleaned(make func() *item) *cleaned {
	return &cleaned{items: [4]*item{2: make()}}
}

// release is the cleanup of every object: its argument is held by the cleanup alone.
func release(p *item) { p.n[0]++ }

func buildCleanups() {
	for i := range cleaneds {
		c := newCleaned(kept)
		truth.Keep(unsafe.Pointer(c))
		runtime.AddCleanup(c, release, keptForNow())
		captured := keptForNow()
		runtime.AddCleanup(c, func(n int) { captured.n[1] += n }, i)
		cleaneds[i] = c
		weakly[i] = weak.Make(c)
		inside[i] = weak.Make(&c.items[3])
	}
	truth.Objects("main.cleaned", each, unsafe.Sizeof(cleaned{}), true)
}

// plantCleanups drops objects: their cleanups live, the objects and what they refer to do not.
func plantCleanups() {
	for i := 0; i < 10; i++ {
		c := newCleaned(dropped)
		truth.Plant(unsafe.Pointer(c))
		runtime.AddCleanup(c, release, keptForNow())
		weakly[i] = weak.Make(c)

		d := newCleaned(dropped)
		truth.Plant(unsafe.Pointer(d))
		truth.Plant(unsafe.Pointer(d.items[2]))
		stopped = runtime.AddCleanup(d, release, dropped())
		stopped.Stop()

		truth.Plant(unsafe.Pointer(cleaneds[i+10]))
		truth.Plant(unsafe.Pointer(cleaneds[i+10].items[2]))
		cleaneds[i+10] = nil
	}
}
