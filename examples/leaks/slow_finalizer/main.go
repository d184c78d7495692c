// SPDX-License-Identifier: Apache-2.0

// # A finalizer that waits
//
// All finalizers run on one goroutine. One that waits holds up all others, and with them the memory of
// their objects.
//
//	goheap suspects -n 1
//
// Fix: finalizers hand work that may wait to a goroutine; better, release by Close, and let the
// finalizer only complain.
package main

import (
	"runtime"

	"goheap.example/leaks/die"
)

type handle struct{ buffer []byte }

var done = make(chan int)

func release(h *handle) { done <- len(h.buffer) }

func use() {
	h := &handle{buffer: make([]byte, 32<<10)}
	runtime.SetFinalizer(h, release)
}

func main() {
	for range 500 {
		use()
	}
	runtime.GC()
	die.Now()
	<-done
}
