// SPDX-License-Identifier: Apache-2.0

// Package still tells when a program has come to rest: what it states of its goroutines is true only
// when each of them has reached the place where it stays, and how long that takes is up to the machine.
package still

import (
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	patience = 5 * time.Minute
	pause    = time.Millisecond // in which the network poller wakes whom it has something for
)

// What runtime.Stack prints. Nothing here lies in the heap, or allocates.
var room [1 << 20]byte

var running, calling atomic.Int32

// Runs says that the calling goroutine goes on for ever.
func Runs() { running.Add(1) }

// Calls says that the calling goroutine is about to make a system call, or a call of C, for ever.
func Calls() { calling.Add(1) }

// Wait returns when every goroutine but the calling one waits for another, or for what comes late:
// nothing moves any more. Those that said so run, or are in a call.
func Wait() { WaitIn(room[:]) }

// WaitIn does so where the stacks of all goroutines need more room.
func WaitIn(text []byte) {
	deadline := time.Now().Add(patience)
	for before := 0; ; time.Sleep(pause) {
		n := waiting(text)
		if n > 0 && n == before {
			return
		}
		before = n
		if time.Now().After(deadline) {
			os.Stderr.Write(text[:runtime.Stack(text, true)])
			os.Stderr.WriteString("\nstill: some go on\n")
			os.Exit(3)
		}
	}
}

// waiting returns how many goroutines there are if nothing moves, and otherwise 0.
func waiting(text []byte) int {
	seen := unsafe.String(&text[0], runtime.Stack(text, true))
	if len(seen) == len(text) {
		panic("still: no room for all stacks")
	}
	_, seen, _ = strings.Cut(seen, "\n\n") // the first one is the caller's
	n, runs, calls := 1, 0, 0
	for ; len(seen) > 0; n++ {
		var stack string
		stack, seen, _ = strings.Cut(seen, "\n\n")
		_, state, _ := strings.Cut(stack, "[")
		switch state[:strings.IndexAny(state, ",]")] {
		case "running", "runnable":
			runs++
		case "syscall":
			calls++
		case "idle", "copystack", "preempted", "garbage collection", "GC assist wait",
			"GC assist marking", "wait for GC cycle", "stopping the world":
			return 0
		}
	}
	if runs != int(running.Load()) || calls != int(calling.Load()) {
		return 0
	}
	return n
}
