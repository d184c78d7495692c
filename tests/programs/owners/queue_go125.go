// SPDX-License-Identifier: Apache-2.0

//go:build go1.25

package main

import (
	"runtime"
	"unsafe"

	"goheap.test/programs/truth"
)

const waiting = "cleanup queue"

// nStarted is how many cleanups begin to run.
const nStarted = 1

// blockCleanup never returns: its goroutine has taken those behind it along, and they wait as well.
func blockCleanup(p *item) {
	truth.Parked()
	<-never
	use(p)
}

// dropFirst lets the first part of an object be the one whose cleanup is run first.
//
//go:noinline
func dropFirst(p *finalized) {
	running := new(item)
	if staysQueued {
		truth.Holder(waiting + " & go main.blockCleanup").Has(unsafe.Pointer(running))
		truth.Holder(waiting).Made("main.dropFirst")
	}
	runtime.AddCleanup(p, blockCleanup, running)
}
