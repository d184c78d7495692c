// SPDX-License-Identifier: Apache-2.0

// Package die ends an example in the way that leaves a core: after collections, so that what is
// still there is held by somebody.
package die

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// Now collects garbage and aborts the process. GOTRACEBACK=crash makes the core.
func Now() {
	time.Sleep(100 * time.Millisecond) // until all goroutines wait
	for range 3 {
		runtime.GC()
	}
	go func() {
		runtime.LockOSThread()
		time.Sleep(10 * time.Millisecond) // until the caller sleeps
		syscall.Tgkill(os.Getpid(), syscall.Gettid(), syscall.SIGABRT)
	}()
	time.Sleep(time.Minute)
}
