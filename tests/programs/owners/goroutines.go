// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"sync"
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

// Goroutines that are stuck own what their frames hold, and what they want to send.

type letter struct {
	n    int
	text *item
}

type locked struct {
	mu   sync.Mutex
	item *item
}

type crew struct {
	sync.WaitGroup
	item *item
}

var (
	inbox = make(chan *item)
	full  = make(chan *item, 2)
	gate  locked
	door  *locked
	cond  *sync.Cond
	crews *crew
	rw    sync.RWMutex
	lock  sync.Mutex // of cond
)

func localsOnly() {
	p := own("go main.localsOnly")
	deeper()
	use(p)
}

//go:noinline
func deeper() {
	p := chain("go main.localsOnly", 2)
	truth.Park()
	use(p)
}

func sendUnbuffered() {
	c := make(chan *item)
	truth.HasChan("go main.sendUnbuffered", c)
	p := own("go main.sendUnbuffered")
	truth.Parked()
	c <- p
}

func sendBuffered() {
	p := chain("go main.sendBuffered", 3)
	truth.Parked()
	full <- p
}

func sendStruct() {
	c := make(chan letter)
	truth.HasChan("go main.sendStruct", c)
	p := chain("go main.sendStruct", 4)
	truth.Parked()
	c <- letter{7, p}
}

// sendReflected sends from the heap: the record of the wait leads to the middle of an object.
func sendReflected() {
	c := make(chan letter)
	box := &[3]letter{1: {3, own("go main.sendReflected")}, 2: {4, own("go main.sendReflected")}}
	truth.HasChan("go main.sendReflected", c)
	truth.Holder("go main.sendReflected").Has(unsafe.Pointer(box))
	truth.Holder("go main.sendReflected").Made("main.reflected")
	reflected(reflect.ValueOf(c), reflect.ValueOf(box).Elem().Index(1))
}

//go:noinline
func reflected(c, v reflect.Value) {
	truth.Parked()
	c.Send(v)
}

func selectSeveral() {
	a, b := make(chan *item), make(chan letter)
	truth.HasChan("go main.selectSeveral", a)
	truth.HasChan("go main.selectSeveral", b)
	p, q := own("go main.selectSeveral"), chain("go main.selectSeveral", 2)
	truth.Parked()
	select {
	case a <- p:
	case b <- letter{1, q}:
	case r := <-inbox:
		use(r)
	}
}

func receive() {
	p := own("go main.receive")
	truth.Parked()
	use(<-inbox)
	use(p)
}

func lockGate() {
	p := own("go main.lockGate")
	truth.Parked()
	gate.mu.Lock()
	use(p)
}

func lockDoor() {
	p := chain("go main.lockDoor", 2)
	truth.Parked()
	door.mu.Lock()
	use(p)
}

func waitForCond() {
	p := own("go main.waitForCond")
	cond.L.Lock()
	truth.Parked()
	cond.Wait()
	use(p)
}

func waitForCondToo() {
	p := chain("go main.waitForCondToo", 2)
	cond.L.Lock()
	truth.Parked()
	cond.Wait()
	use(p)
}

func waitForCrew() {
	p := own("go main.waitForCrew")
	truth.Parked()
	crews.Wait()
	use(p)
}

func readLock() {
	p := own("go main.readLock")
	truth.Parked()
	rw.RLock()
	use(p)
}

func sleep() {
	p := own("go main.sleep")
	truth.Holder("go main.sleep").Made("main.sleep")
	truth.Parked()
	time.Sleep(time.Hour)
	use(p)
}

var handed *item

// shareFirst and shareSecond keep one object, each in its frame.
func shareFirst() {
	p := handed
	truth.Park()
	use(p)
}

func shareSecond() {
	p, q := handed, own("go main.shareSecond")
	truth.Park()
	use(p)
	use(q)
}

func buildGoroutines() {
	truth.HasChan("main.inbox & go main.receive & go main.selectSeveral", inbox)
	truth.HasChan("main.full & go main.sendBuffered", full)
	full <- own("main.full & go main.sendBuffered")
	full <- own("main.full & go main.sendBuffered")

	gate.item = own("main.gate")
	gate.mu.Lock()
	door = &locked{item: own("main.door & go main.lockDoor")}
	door.mu.Lock()
	truth.Holder("main.door & go main.lockDoor").Has(unsafe.Pointer(door))
	cond = sync.NewCond(&lock)
	truth.Holder("main.cond & go main.waitForCond & go main.waitForCondToo").Has(unsafe.Pointer(cond))
	crews = &crew{item: own("main.crews & go main.waitForCrew")}
	crews.Add(1)
	truth.Holder("main.crews & go main.waitForCrew").Has(unsafe.Pointer(crews))
	rw.Lock()
	handed = chain("go main.shareFirst & go main.shareSecond", 3)

	for _, f := range [...]func(){localsOnly, sendUnbuffered, sendBuffered, sendStruct,
		sendReflected, selectSeveral, receive, lockGate, lockDoor, waitForCond, waitForCondToo,
		waitForCrew, readLock, sleep, shareFirst, shareSecond} {
		truth.Stay(f)
	}
	truth.Settle()
	handed = nil
}
