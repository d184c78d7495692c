// SPDX-License-Identifier: Apache-2.0

// Suspects planted one of each kind, or, with GOHEAP_CLEAN=1, a program that does the same work and
// leaks nothing. States what it planted: rule, bytes that go with it at least, function.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"goheap.test/programs/abort"
	"goheap.test/programs/still"
)

var clean = os.Getenv("GOHEAP_CLEAN") == "1"

const kib = 1 << 10

// Goroutines that wait in a send whose receiver has gone.
const nLeaked = 50

func answer(c chan []byte) { c <- make([]byte, 64*kib) }

func askAndGiveUp() {
	c := make(chan []byte)
	if clean {
		c = make(chan []byte, 1)
	}
	go answer(c)
}

// Timers that nobody can stop.
const nTimers = 100

type session struct{ data []byte }

func (s *session) expire() { s.data = nil }

var timers []*time.Timer

func open() {
	s := &session{data: make([]byte, 32*kib)}
	t := time.AfterFunc(24*time.Hour, func() { s.expire() })
	if clean {
		timers = append(timers, t)
	}
}

func closeSessions() {
	for i, t := range timers {
		t.Stop()
		timers[i] = nil
	}
}

// A loop that defers as long as it runs.
const nDeferred = 1000

type file struct{ block []byte }

func (f *file) close() { f.block = nil }

func read(f *file) {
	defer f.close()
	f.block[0] = 1
}

func consume(names chan int) {
	for range names {
		f := &file{block: make([]byte, 4*kib)}
		if clean {
			read(f)
		} else {
			defer f.close()
		}
	}
}

var names = make(chan int)

// A deferred function that keeps what was long done.
const bigBytes = 8 << 20

var next = make(chan int)

//go:noinline
func report(n int) { println(n) }

//go:noinline
func upload(body []byte) int { body[0] = 1; return len(body) }

func serveBig() {
	body := make([]byte, bigBytes)
	if clean {
		n := upload(body)
		body = nil
		defer func() { report(n) }()
	} else {
		defer func() { report(len(body)) }()
		upload(body)
	}
	<-next
}

// A finalizer that waits, and others behind it.
const nFinalized = 200

type handle struct{ buffer []byte }

var released = make(chan int)

func release(h *handle) {
	if !clean {
		released <- len(h.buffer)
	}
}

func use() {
	h := &handle{buffer: make([]byte, 8*kib)}
	runtime.SetFinalizer(h, release)
}

// Threads in a system call that does not come back.
const nThreads = 40

func hang(fd int) {
	still.Calls()
	buffer := make([]byte, 1)
	syscall.Read(fd, buffer)
}

// Response bodies left open.
const nBodies = 60

func write(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 64*kib)) }

func fetch(address string) {
	response, err := http.Get("http://" + address)
	if err != nil {
		panic(err)
	}
	if clean {
		response.Body.Close()
	}
}

// Three goroutines that wait for each other.
type account struct {
	mu  sync.Mutex
	sum int
}

var accounts [3]account
var ready sync.WaitGroup

func transfer(from, to *account) {
	from.mu.Lock()
	defer from.mu.Unlock()
	ready.Done()
	ready.Wait()
	if clean {
		return
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	to.sum++
}

// A lock that is never given back, and a queue before it.
const nQueued = 30

var counter struct {
	mu sync.Mutex
	n  int
}

func count() {
	counter.mu.Lock()
	counter.n++
	counter.mu.Unlock()
}

// A cache without an end.
const nCached = 2000

var cache = map[int][]byte{}

func plant() {
	for range nLeaked {
		askAndGiveUp()
	}
	for range nTimers {
		open()
	}
	closeSessions()
	go consume(names)
	for i := range nDeferred {
		names <- i
	}
	go serveBig()
	for range nFinalized {
		use()
	}
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	for i := 0; i < nThreads && !clean; i++ {
		go hang(pipe[0])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(write))
	for range nBodies {
		fetch(listener.Addr().String())
	}
	ready.Add(len(accounts))
	for i := range accounts {
		go transfer(&accounts[i], &accounts[(i+1)%len(accounts)])
	}
	if !clean {
		counter.mu.Lock()
	}
	for range nQueued {
		go count()
	}
	if !clean {
		for i := range nCached {
			cache[i] = make([]byte, 16*kib)
		}
	}
}

func main() {
	if os.Getenv("GOHEAP_LARGE") == "1" {
		plantLarge()
	} else {
		plant()
	}
	still.Wait()
	for range 3 {
		runtime.GC()
		time.Sleep(600 * time.Millisecond) // that threads are stuck is likely after a second
	}
	fmt.Printf(`{"leaked":%d,"timers":%d,"deferred":%d,"big":%d,"finalized":%d,"threads":%d,`+
		`"bodies":%d,"queued":%d,"cached":%d,"held":%d,"stored":%d}`+"\n", nLeaked, nTimers,
		nDeferred, bigBytes, nFinalized, nThreads, nBodies, nQueued, nCached, nHeld, nStored)
	runtime.GC()
	go func() {
		still.Wait()
		abort.InSyscall()
	}()
	time.Sleep(time.Minute)
	names <- 1
	next <- 1
	<-released
}

// What is merely large: goroutines that hold much and can go on, and a store that two variables have.
const nHeld, nStored = 20, 1000

type store struct{ blocks map[int][]byte }

var (
	gate    = make(chan int)
	readers []*store
	writers []*store
)

func hold() {
	buffer := make([]byte, 512*kib)
	buffer[<-gate] = 1
}

func plantLarge() {
	for range nHeld {
		go hold()
	}
	s := &store{blocks: map[int][]byte{}}
	for i := range nStored {
		s.blocks[i] = make([]byte, 8*kib)
	}
	readers, writers = append(readers, s), append(writers, s)
}
