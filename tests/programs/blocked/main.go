// SPDX-License-Identifier: Apache-2.0

//go:debug netdns=cgo

// Threads that are blocked: in C, in system calls that the scheduler knows of and in some that it does
// not, writing to files; threads of C alone, and goroutines that are locked to theirs. What the
// kernel says of each thread is the truth. With the word "c" only the former, with "raw" only such
// that the scheduler does not know of, with "kinds" a few of every kind, see kinds.go; with "clean"
// none of that, but as much work as there are processors, and goroutines that wait.
package main

// void start_alone(int n);
// long slow_read(int fd);
// void die(void);
import "C"

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"goheap.test/programs/still"
)

const (
	inC       = 60
	inSyscall = 60
	inRaw     = 3
	inRawOnly = 60
	inWrite   = 20
	alone     = 4
	locked    = 5
	pipeBytes = 64 << 10
)

type statement struct {
	InC, InSyscall, InRaw, InWrite, Alone, Locked int
	ReadFD                                        int
	WriteFDs                                      []int
	Threads                                       map[string]string // number and arguments of the call
	Kinds                                         []kind
}

var (
	started atomic.Int32
	never   = make(chan int)
	files   []*os.File
)

func readInC(fd int) {
	still.Calls()
	started.Add(1)
	C.slow_read(C.int(fd))
}

func readInSyscall(fd int) {
	var byte [1]byte
	still.Calls()
	started.Add(1)
	syscall.Read(fd, byte[:])
}

func readRaw(fd int) {
	var byte [1]byte
	syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&byte)), 1)
}

// write fills a pipe, and then waits: before it has written a byte, or, if there is more, after some.
func write(f *os.File, more int) {
	if more == 0 {
		f.Write(make([]byte, pipeBytes))
		more = 1
	}
	still.Calls()
	started.Add(1)
	f.Write(make([]byte, more))
}

func stayLocked() {
	runtime.LockOSThread()
	started.Add(1)
	<-never
}

func pipe() (read, write int) {
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		panic(err)
	}
	return fds[0], fds[1]
}

// settle waits until n goroutines have said that they are about to block.
func settle(n int) {
	for int(started.Load()) < n {
		time.Sleep(time.Millisecond)
	}
}

// arrive waits until the kernel says that n threads stand in a system call, with a first argument or
// (-1) with any.
func arrive(n, call, first int) {
	begin := fmt.Sprintf("%d ", call)
	if first >= 0 {
		begin += fmt.Sprintf("%#x ", first)
	}
	for {
		found := 0
		for _, text := range threads() {
			if strings.HasPrefix(text, begin) {
				found++
			}
		}
		if found == n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func threads() map[string]string {
	found := map[string]string{}
	calls, _ := filepath.Glob("/proc/self/task/*/syscall")
	for _, path := range calls {
		if text, err := os.ReadFile(path); err == nil {
			found[filepath.Base(filepath.Dir(path))] = string(text)
		}
	}
	return found
}

func block(s *statement) {
	s.InC, s.InSyscall, s.InWrite, s.Alone, s.Locked = inC, inSyscall, inWrite, alone, locked
	s.ReadFD, _ = pipe()
	C.start_alone(alone)
	for i := 0; i < inC; i++ {
		go readInC(s.ReadFD)
	}
	for i := 0; i < inSyscall; i++ {
		go readInSyscall(s.ReadFD)
	}
	for i := 0; i < inWrite; i++ {
		_, fd := pipe()
		files = append(files, os.NewFile(uintptr(fd), fmt.Sprint("/data/journal-", i)))
		s.WriteFDs = append(s.WriteFDs, fd)
		go write(files[i], i%2*2*pipeBytes)
	}
	for i := 0; i < locked; i++ {
		go stayLocked()
	}
	settle(inC + inSyscall + inWrite + locked)
	still.Wait()
	arrive(alone, syscall.SYS_PAUSE, -1)
	arrive(inC+inSyscall, syscall.SYS_READ, s.ReadFD)
	arrive(inWrite, syscall.SYS_WRITE, -1)
	runtime.GC()
	time.Sleep(1200 * time.Millisecond)
	// these keep a processor each: nobody can stop the world any more
	s.InRaw = inRaw
	for i := 0; i < inRaw; i++ {
		go readRaw(s.ReadFD)
	}
	arrive(inC+inSyscall+inRaw, syscall.SYS_READ, s.ReadFD)
}

func blockInC(s *statement) {
	s.InC = inC
	s.ReadFD, _ = pipe()
	for i := 0; i < inC; i++ {
		go readInC(s.ReadFD)
	}
	settle(inC)
	still.Wait()
	arrive(inC, syscall.SYS_READ, s.ReadFD)
	runtime.GC()
	time.Sleep(1200 * time.Millisecond)
}

func blockRaw(s *statement) {
	s.InRaw = inRawOnly
	s.ReadFD, _ = pipe()
	runtime.GOMAXPROCS(inRawOnly + 4)
	for i := 0; i < inRawOnly; i++ {
		go readRaw(s.ReadFD)
	}
	arrive(inRawOnly, syscall.SYS_READ, s.ReadFD)
}

var sum atomic.Int64

func compute() {
	still.Runs()
	for {
		sum.Add(1)
	}
}

// work keeps all processors busy while many goroutines wait, some of them for pipes.
func work() {
	for i := 0; i < 7; i++ {
		go compute()
	}
	r, _, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	for i := 0; i < 100; i++ {
		go func() { <-never }()
		go r.Read(make([]byte, 1))
	}
	still.Wait()
}

func main() {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(8)
	runtime.GC() // the first one notes no waits
	var s statement
	switch os.Args[1] {
	case "clean":
		work()
	case "c":
		blockInC(&s)
	case "raw":
		blockRaw(&s)
	case "kinds":
		blockInKinds(&s)
	default:
		block(&s)
	}
	s.Threads = threads()
	json.NewEncoder(os.Stdout).Encode(s)
	if len(os.Args) > 2 && os.Args[2] == "stay" {
		<-never
	}
	if os.Args[1] == "crash" {
		syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGABRT)
		select {}
	}
	C.die()
}
