// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"sync"
	"unsafe"

	"goheap.test/programs/truth"
)

// Finalizers, pools, pinned objects: the runtime's own ways to hold something.

type finalized struct {
	item *item
	self *finalized
	n    [5]int
}

var (
	closable *finalized    // has a finalizer, and lives
	never    chan struct{} // blocks for ever, and is nothing
	pool     sync.Pool
	pinner   runtime.Pinner
)

//go:noinline
func newFinalized(h truth.Holder, n int) *finalized {
	p := &finalized{item: chain(h, n)}
	h.Has(unsafe.Pointer(p))
	return p
}

func buildFinalizers() {
	closable = newFinalized("main.closable", 2)
	captured := chain("finalizers", 3)
	f := func(*finalized) { use(captured) }
	truth.Holder("finalizers").Has(*(*unsafe.Pointer)(unsafe.Pointer(&f)))
	runtime.SetFinalizer(closable, f)

	// A ring is kept alive by the finalizer of one of its objects, which therefore never runs.
	a, b := newFinalized("finalizers", 1), newFinalized("finalizers", 2)
	a.self, b.self = b, a
	runtime.SetFinalizer(a, func(*finalized) { sum++ })
}

const due = "finalizer queue"

// block is the finalizer that never returns: all others have to wait.
func block(p *finalized) {
	truth.Parked()
	<-never
	use(p.item)
}

//go:noinline
func dropBlocking() {
	runtime.SetFinalizer(newFinalized(due+" & go main.block", 1), block)
}

//go:noinline
func dropFinalized(n int) {
	p, captured := newFinalized(due, n), chain(due, 2)
	f := func(*finalized) { use(captured) }
	truth.Holder(due).Has(*(*unsafe.Pointer)(unsafe.Pointer(&f)))
	runtime.SetFinalizer(p, f)
}

// buildQueue blocks the goroutine that runs finalizers, and lets others be due behind it.
func buildQueue() {
	n := truth.Staying()
	dropBlocking()
	runtime.GC()
	truth.Await(n + 1)
	for i := 1; i < 4; i++ {
		dropFinalized(i)
	}
	runtime.GC()
}

// fillPool leaves an item in the pool that the last collection makes a victim.
func fillPool() {
	p := chain("main.pool", 2)
	pool.Put(p)
	truth.Holder("main.pool").Has(*(*unsafe.Pointer)(unsafe.Pointer(&pool)))
}

//go:noinline
func pin() {
	pinner.Pin(own("main.pinner"))
}

func buildLibrary() {
	buildFinalizers()
	pin()
	truth.Holder("main.pinner").Made("main.pin")
	buildQueue()
}
