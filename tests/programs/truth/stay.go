// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"runtime"
	"sync/atomic"
)

var (
	never   = make(chan struct{})
	staying atomic.Int32
)

// Stay starts a goroutine that will call Park or Parked, and returns once it has. f must be a plain
// function, so that starting it allocates no closure.
func Stay(f func()) {
	n := Staying()
	go f()
	Await(n + 1)
}

// Staying is how many have called Park or Parked so far.
func Staying() int32 { return staying.Load() }

// Await returns when so many have.
func Await(n int32) {
	for staying.Load() < n {
		runtime.Gosched()
	}
}

// Parked is for goroutines that block in a way of their own, right after calling it.
func Parked() { staying.Add(1) }

// Park blocks for ever. What the callers use afterwards stays alive.
func Park() {
	Parked()
	<-never
}
