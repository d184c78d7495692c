// SPDX-License-Identifier: Apache-2.0

// Five hundred goroutines in every state that a program can put them in. The traceback of the death
// is the truth about them.
package main

import (
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"goheap.test/programs/still"
	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

var (
	receiving = make(chan *item)
	sending   = make(chan *item)
	none      chan *item
	mutex     sync.Mutex
	readers   sync.RWMutex // held for writing: readers wait
	writers   sync.RWMutex // held for reading: a writer waits, and readers behind it
	cond      = sync.NewCond(new(sync.Mutex))
	group     sync.WaitGroup
	pipeRead  *os.File
	pipeKeep  *os.File
	listener  net.Listener
	lonely    net.Listener // that nobody connects to
	blocking  [2]int       // a pipe that the runtime does not poll
	spinning  bool
	planted   bool
)

func kept() *item {
	p := new(item)
	truth.Keep(unsafe.Pointer(p))
	return p
}

func receive() {
	p := kept()
	truth.Parked()
	<-receiving
	p.n[0]++
}

func send() { truth.Parked(); sending <- kept() }

func receiveNil() { truth.Parked(); <-none }

func sendNil() { truth.Parked(); none <- nil }

func choose() {
	truth.Parked()
	select {
	case <-receiving:
	case sending <- kept():
	case <-none:
	}
}

func chooseTimed() {
	truth.Parked()
	select {
	case <-receiving:
	case <-time.After(24 * time.Hour):
	}
}

func chooseNothing() { truth.Parked(); select {} }

func sleep() {
	p := kept()
	truth.Parked()
	time.Sleep(24 * time.Hour)
	p.n[0]++
}

func lock() { truth.Parked(); mutex.Lock() }

func readLock() { truth.Parked(); readers.RLock() }

func writeLock() { truth.Parked(); writers.Lock() }

func waitCond() {
	cond.L.Lock()
	truth.Parked()
	cond.Wait()
}

func waitGroup() { truth.Parked(); group.Wait() }

func readPipe() {
	buffer := make([]byte, 100)
	truth.Parked()
	pipeRead.Read(buffer)
}

func accept() { truth.Parked(); lonely.Accept() }

func connected() {
	connection, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	buffer := make([]byte, 64)
	truth.Parked()
	connection.Read(buffer)
}

func syscallRead() {
	buffer := make([]byte, 8)
	still.Calls()
	truth.Parked()
	syscall.Read(blocking[0], buffer)
}

func locked() {
	runtime.LockOSThread()
	truth.Parked()
	<-receiving
}

func insideOnce() {
	var once sync.Once
	once.Do(truth.Park)
}

func spin() {
	still.Runs()
	truth.Parked()
	for spinning {
	}
}

var counts = []struct {
	f func()
	n int
}{
	{receive, 60}, {send, 50}, {receiveNil, 20}, {sendNil, 20}, {choose, 40}, {chooseTimed, 20},
	{chooseNothing, 30}, {sleep, 50}, {lock, 40}, {readLock, 20}, {writeLock, 20}, {waitCond, 40},
	{waitGroup, 40}, {readPipe, 10}, {accept, 1}, {connected, 10}, {syscallRead, 4}, {locked, 10},
	{insideOnce, 20},
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func build() {
	var err error
	pipeRead, pipeKeep, err = os.Pipe()
	must(err)
	listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(err)
	lonely, err = net.Listen("tcp", "127.0.0.1:0")
	must(err)
	must(syscall.Pipe(blocking[:]))
	mutex.Lock()
	readers.Lock()
	writers.RLock()
	group.Add(1)
	for _, c := range counts {
		for i := 0; i < c.n; i++ {
			truth.Stay(c.f)
		}
	}
}

func plant() {
	planted = true
	for _, f := range [...]func(){receive, choose, sleep} {
		truth.Stay(f)
	}
}

func main() {
	build()
	truth.Garbage(plant)
	// What runs may be stopped anywhere, and the collector then takes its frames word by word:
	// that may keep garbage.
	spinning = !planted
	for i := 0; i < 3 && spinning; i++ {
		truth.Stay(spin)
	}
	truth.Die("goroutines")
}
