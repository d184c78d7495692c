// SPDX-License-Identifier: Apache-2.0

// Objects that only vector registers of running code refer to, as in the middle of a memmove. No
// collection ends while that code runs.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
	"unsafe"
)

type item struct {
	n    [5]int
	next *item
}

// slots are moved into xmm3, xmm15 and, where there are wide ones, the upper half of ymm9.
type slots struct {
	low, high, wide *item
	running         uint32
	hasWide         uint32
}

// hold takes the pointers out of s, tells that it runs, and does so for ever.
func hold(s *slots)

var (
	heldAddresses [3]uintptr
	given         = new(slots)
)

func object(i int) *item {
	p := &item{next: new(item)}
	heldAddresses[i] = uintptr(unsafe.Pointer(p))
	return p
}

func main() {
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(max(2, runtime.NumCPU())) // hold gives its own to nobody
	*given = slots{low: object(0), high: object(1)}
	if hasAVX() {
		given.hasWide = 1
		given.wide = object(2)
	}
	go hold(given)
	for *(*uint32)(unsafe.Pointer(&given.running)) == 0 {
		time.Sleep(time.Millisecond)
	}
	runtime.KeepAlive(given)
	fmt.Println("running")
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
}

func hasAVX() bool
