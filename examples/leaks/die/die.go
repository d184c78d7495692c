// SPDX-License-Identifier: Apache-2.0

// Package die ends an example in the way that leaves a core: after collections, so that what is
// still there is held by somebody.
package die

import (
	"bytes"
	"runtime"
	"syscall"
	"time"
)

// All of it lies beside the heap: what an example holds is its own.
var (
	stacks                    [1 << 20]byte
	running, runnable, asleep = []byte(" [running"), []byte(" [runnable"), []byte(" [sleep")
)

// What waits is suspicious after a second, counted from the collection that saw it wait: on any machine
// it waits for longer.
const enough = 1200 * time.Millisecond

// settle waits until all other goroutines wait, and not for a moment only: but for some that sleep.
func settle(sleeping int) {
	for quiet := 0; quiet < 2; quiet++ {
		time.Sleep(5 * time.Millisecond)
		seen := stacks[:runtime.Stack(stacks[:], true)]
		if bytes.Count(seen, running)+bytes.Count(seen, runnable) > 1 || bytes.Count(seen, asleep) > sleeping {
			quiet = -1
		}
	}
}

// Now collects garbage and aborts the process. GOTRACEBACK=crash makes the core.
func Now() {
	settle(0)
	for range 3 {
		runtime.GC()
	}
	time.Sleep(enough)
	go func() {
		runtime.LockOSThread()
		settle(1) // the caller sleeps
		syscall.Syscall(syscall.SYS_TGKILL, uintptr(syscall.Getpid()), uintptr(syscall.Gettid()),
			uintptr(syscall.SIGABRT))
	}()
	time.Sleep(time.Minute)
}
