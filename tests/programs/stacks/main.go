// SPDX-License-Identifier: Apache-2.0

// Hundreds of goroutines in each wait reason that a program can hold, below inlined calls, methods,
// closures and generic functions. What runtime.Stack says of all of them is the truth, written just
// before the program dies.
package main

import (
	"context"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"goheap.test/programs/still"
)

const each = 500

var (
	started atomic.Int32
	wanted  int32

	receiving = make(chan int)
	sending   = make(chan string)
	none      chan int
	mutex     sync.Mutex
	readers   sync.RWMutex   // held for writing
	writers   []sync.RWMutex // held for reading
	cond      = sync.NewCond(new(sync.Mutex))
	group     sync.WaitGroup
	polled    []*os.File
	shared    *os.File // one reads it, the others wait for their turn
	kept      []*os.File
	raw       [2]int
	stacks    []byte
	sink      string
)

type waiter[T any] struct {
	c chan T
}

func ready() { started.Add(1) }

// inlined into its callers
func take[T any](c chan T) T { ready(); return <-c }

func (w *waiter[T]) wait() T { return take(w.c) }

type lockable interface{ Lock() }

func lockIt(l lockable) { ready(); l.Lock() }

func put[T any](c chan T, v T) { ready(); c <- v }

func deep(n int, f func()) int {
	if n == 0 {
		f()
		return 1
	}
	return deep(n-1, f) + n
}

//go:noinline
func named(name string) {
	take(receiving)
	sink = name
}

func readFile(f *os.File) {
	var b [1]byte
	ready()
	f.Read(b[:])
}

func deferred() {
	defer func() {
		recover()
		<-receiving
	}()
	ready()
	panic("on purpose")
}

func sleep() { ready(); time.Sleep(24 * time.Hour) }

// startAndEnd leaves a goroutine whose parent is gone.
func startAndEnd() {
	go func() { named("orphan") }()
}

func selectOne(a chan int, b chan string) {
	ready()
	select {
	case <-a:
	case b <- "x":
	}
}

func start(n int, f func()) {
	wanted += int32(n)
	for i := 0; i < n; i++ {
		go f()
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// nonblocking returns n files of the same empty pipe, each with a place in the poller.
func nonblocking(n int) (files []*os.File) {
	var fds [2]int
	must(syscall.Pipe2(fds[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC))
	raw = fds
	for i := 0; i < n; i++ {
		fd, err := syscall.Dup(fds[0])
		must(err)
		files = append(files, os.NewFile(uintptr(fd), "pipe "+strconv.Itoa(i)))
	}
	return files
}

func build() {
	mutex.Lock()
	readers.Lock()
	writers = make([]sync.RWMutex, each)
	group.Add(1)
	polled = nonblocking(each)
	var end *os.File
	var err error
	shared, end, err = os.Pipe()
	must(err)
	kept = append(kept, end)

	w := &waiter[int]{receiving}
	start(each, func() { w.wait() })
	start(each/2, func() { put(sending, "y") })
	start(each/2, func() { put[string](sending, "z") })
	start(each, func() { selectOne(receiving, nil) })
	start(each, func() { ready(); <-none })
	start(each, func() { ready(); none <- 1 })
	start(each, func() { ready(); select {} })
	start(each, sleep)
	start(each/2, func() { lockIt(&mutex) })
	start(each/2, func() { ready(); mutex.Lock() })
	start(each, func() { ready(); readers.RLock() })
	for i := range writers {
		w := &writers[i]
		w.RLock()
		start(1, func() { ready(); w.Lock() })
	}
	start(each, func() { cond.L.Lock(); ready(); cond.Wait() })
	start(each, func() { ready(); group.Wait() })
	for _, f := range polled {
		f := f
		start(1, func() { readFile(f) })
	}
	start(each+1, func() { readFile(shared) })
	start(5, deferred)
	start(2, func() { named("a certain name") })
	start(3, func() { deep(300, func() { take(receiving) }) })
	start(4, func() { runtime.LockOSThread(); take(receiving) })
	pprof.Do(context.Background(), pprof.Labels("job", "resize", "size", "large"),
		func(context.Context) { start(3, func() { named("labelled") }) })
	wanted++
	go startAndEnd()
	startCoroutines()
	startBubble()
	must(trace.Start(io.Discard))
	for started.Load() < wanted {
		time.Sleep(time.Millisecond)
	}
	still.WaitIn(stacks)
}

type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// die lets the kernel end the process where it stands: no handler of the runtime's moves anything.
func die() {
	var action sigaction
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGABRT),
		uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGABRT)
	select {}
}

func main() {
	debug.SetGCPercent(-1)
	stacks = make([]byte, 64<<20)
	build()
	n := runtime.Stack(stacks, true)
	syscall.Write(1, stacks[:n])
	die()
}
