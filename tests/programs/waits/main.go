// SPDX-License-Identifier: Apache-2.0

// A thousand goroutines that know when they blocked, with collections between them. The program
// states both, and dies.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"goheap.test/programs/abort"
	"goheap.test/programs/still"
)

const (
	batches = 10
	each    = 100
	many    = 300 // collections: more than the runtime remembers the times of
)

type waiter struct {
	Goid  int
	Batch int
	Noted int64 // just before it blocked
}

type collection struct {
	Batch         int // of the latest goroutines that had blocked
	Before, After int64
}

var (
	waiters     [batches * each]waiter
	started     atomic.Int32
	collections []collection
	never       = make(chan int) // all receive
	nobody      = make(chan int) // all send
	mutex       sync.Mutex
	cond        = sync.NewCond(new(sync.Mutex))
	group       sync.WaitGroup
	pipe        [2]int
	polled      *os.File
	kept        *os.File
	stacks      = make([]byte, 4<<20)
)

// now reads the clock that the runtime's nanotime reads.
func now() int64 {
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

func goid() int {
	var text [64]byte
	words := strings.Fields(string(text[:runtime.Stack(text[:], false)]))
	id, _ := strconv.Atoi(words[1])
	return id
}

func block(kind int) {
	var buffer [1]byte
	switch kind % 8 {
	case 0:
		<-never
	case 1:
		select {
		case nobody <- 1:
		case <-time.After(time.Hour):
		}
	case 2:
		mutex.Lock()
	case 3:
		cond.L.Lock()
		cond.Wait()
	case 4:
		group.Wait()
	case 5:
		time.Sleep(time.Hour)
	case 6:
		if kind < 56 { // each has a thread
			still.Calls()
			syscall.Read(pipe[0], buffer[:])
		} else {
			select {}
		}
	case 7:
		polled.Read(buffer[:])
	}
}

func wait(batch, i int) {
	w := &waiters[batch*each+i]
	*w = waiter{goid(), batch, 0}
	started.Add(1)
	w.Noted = now()
	block(i)
}

func collect(batch, n int) {
	for i := 0; i < n; i++ {
		before := now()
		runtime.GC()
		collections = append(collections, collection{batch, before, now()})
	}
}

func start(batch int) {
	for i := 0; i < each; i++ {
		go wait(batch, i)
	}
	for int(started.Load()) < (batch+1)*each {
		runtime.Gosched()
	}
	still.WaitIn(stacks)
}

func main() {
	debug.SetGCPercent(-1)
	syscall.Pipe(pipe[:])
	polled, kept, _ = os.Pipe()
	mutex.Lock()
	group.Add(1)
	runtime.GC() // the first one notes nothing
	for batch := 0; batch < batches; batch++ {
		start(batch)
		switch {
		case batch == 0:
			collect(batch, many)
		case batch < batches-1: // none sees the last goroutines
			collect(batch, 1+batch%3)
		}
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"waiters": waiters[:], "collections": collections})
	abort.InSyscall()
}
