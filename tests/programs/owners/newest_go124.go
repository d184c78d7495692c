// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package main

import (
	"runtime"
	"unsafe"
	"weak"

	"goheap.test/programs/truth"
)

var (
	cleaned, watched *finalized
	watching         weak.Pointer[finalized]
)

//go:noinline
func addCleanup() {
	runtime.AddCleanup(cleaned, use, chain("cleanups", 2))
}

//go:noinline
func addWaiting(p *finalized, n int) {
	runtime.AddCleanup(p, use, chain(waiting, n))
}

//go:noinline
func dropCleaned() {
	parts := new([4]finalized)
	dropFirst(&parts[0])
	for i := 1; i < len(parts); i++ {
		addWaiting(&parts[i], i)
	}
}

func buildNewest() {
	cleaned = newFinalized("main.cleaned", 3)
	addCleanup()
	truth.Holder("cleanups").Made("main.addCleanup")
	n := truth.Staying()
	dropCleaned()
	truth.Holder(waiting).Made("main.addWaiting")
	runtime.GC()
	truth.Await(n + nStarted)

	// A weak pointer keeps nothing.
	watched = newFinalized("main.watched", 4)
	watching = weak.Make(watched)
	truth.Holder("main.watching & weak handles").Has(*(*unsafe.Pointer)(unsafe.Pointer(&watching)))
	weak.Make(newDropped())
}

//go:noinline
func newDropped() *finalized {
	p := new(finalized)
	truth.Plant(unsafe.Pointer(p))
	return p
}
