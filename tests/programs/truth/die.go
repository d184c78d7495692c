// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"goheap.test/programs/still"
)

// Modes of a run, from GOHEAP_MODE.
const (
	missing = "missing" // three collections, then die: what is allocated is live
	garbage = "garbage" // plant garbage, then die without a collection (the harness sets GOGC=off)
	verify  = "verify"  // plant garbage, then let Go's own collector confirm what is garbage
)

// MemStats is the last thing a program fills; tests read it out of the core by its symbol.
var MemStats runtime.MemStats

var (
	mode   = getenv("GOHEAP_MODE", missing)
	dumpFD = openDump(os.Getenv("GOHEAP_DUMP"))

	// Without a use of MemProfile the linker disables profiling, and with it GODEBUG=memprofilerate.
	memProfile = runtime.MemProfile

	beforeLast, afterLast func()
)

// AroundLastCollection has two plain functions called before and after the last collection of those
// that Garbage and Die make: what they put into a pool is still there when the program dies. They
// must leave no garbage.
func AroundLastCollection(before, after func()) { beforeLast, afterLast = before, after }

func getenv(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func openDump(path string) int {
	if path == "" {
		return -1
	}
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		fail("cannot open " + path)
	}
	return fd
}

// Settle waits until goroutines that were just started have reached the place where they block.
func Settle() { still.Wait() }

// Die states the truth and aborts. Call it last and from any frame: what the callers still need
// stays alive.
func Die(program string) {
	if mode == "profile" {
		memProfile(nil, false)
	}
	runtime.LockOSThread() // before the last collection, because it may start a thread
	Settle()
	if mode != garbage {
		collect()
	}
	Write(program)
	Abort()
}

// Abort fills MemStats, writes the heap dump and dies. It allocates nothing in the heap. The signal
// goes to the calling thread, so that the traceback shows this frame as the running one.
func Abort() {
	growStack(0)
	runtime.ReadMemStats(&MemStats) // once for the threads that a restarted world may need
	runtime.ReadMemStats(&MemStats)
	if dumpFD >= 0 {
		debug.WriteHeapDump(uintptr(dumpFD))
	}
	syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGABRT)
	for {
	}
}

// collect leaves nothing that a program does not hold, and no free page for the scavenger, which
// would change the statistics behind our back. The pauses let finalizers and cleanups run.
func collect() {
	debug.FreeOSMemory()
	for i := 0; i < 3; i++ {
		time.Sleep(time.Millisecond)
		runtime.GC()
	}
	if beforeLast != nil {
		beforeLast()
	}
	debug.FreeOSMemory()
	if afterLast != nil {
		afterLast()
	}
}

// growStack makes room for the runtime's frames, so that the stack does not grow between
// the reading of MemStats and the end.
//
//go:noinline
func growStack(x byte) byte {
	var room [32 << 10]byte
	room[len(os.Args)] = x
	return room[0] + room[len(room)-1]
}
