// SPDX-License-Identifier: Apache-2.0

// Goroutines that wait in select, with cases to send and to receive, and what only they hold.
package main

import (
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

type message struct {
	n    [4]int
	next *message
}

type pair struct{ left, right *message }

var (
	in    = make(chan *message)
	out   = make(chan *message)
	pairs = make(chan pair)
	other [12]chan *message
	late  = make(chan *message)
	none  chan *message
	quit  = make(chan struct{})
)

func kept() *message {
	p := new(message)
	truth.Keep(unsafe.Pointer(p))
	return p
}

func sendOrReceive() {
	m, held := kept(), kept()
	truth.Parked()
	select {
	case out <- m:
	case got := <-in:
		got.next = held
	case pairs <- pair{kept(), kept()}:
	case <-quit:
	}
}

func own() {
	mine := make(chan *message, 1)
	mine <- kept()
	truth.Parked()
	select {
	case mine <- kept():
	case <-none:
	}
}

func many() {
	truth.Parked()
	for i := 0; ; i++ {
		select {
		case other[0] <- kept():
		case other[1] <- kept():
		case m := <-other[2]:
			other[3] <- m
		case other[4] <- kept():
		case <-other[5]:
		case <-other[6]:
		case <-other[7]:
		case m, ok := <-other[8]:
			if ok {
				other[9] <- m
			}
		case other[10] <- kept():
		case <-quit:
			return
		}
	}
}

func withTimeout() {
	timeout := time.NewTimer(time.Hour)
	held := kept()
	truth.Parked()
	select {
	case <-timeout.C:
	case late <- kept():
	}
	held.n[0]++
}

func nothing() {
	truth.Parked()
	select {}
}

// ready went through selects that could proceed and a default; what it received is garbage.
func ready() {
	c := make(chan *message, 1)
	truth.PlantChan(c)
	for i := 0; i < 5; i++ {
		m := new(message)
		truth.Plant(unsafe.Pointer(m))
		select {
		case c <- m:
		case <-none:
		}
		select {
		case <-c:
		default:
			c = nil
		}
		select {
		case <-c:
		default:
		}
	}
	held := kept()
	truth.Parked()
	<-quit
	held.n[0]++
}

var all = [...]func(){sendOrReceive, own, many, withTimeout, nothing, ready}

func build() {
	for i := range other {
		other[i] = make(chan *message, i%2)
	}
	for _, i := range [...]int{1, 3, 9, 11} {
		other[i] <- kept()
	}
	for i := 0; i < 5; i++ {
		for _, f := range all {
			truth.Stay(f)
		}
	}
}

func plant() {
	for _, f := range all {
		truth.Stay(f)
	}
	m := <-other[3]
	truth.Plant(unsafe.Pointer(m))
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("selects")
}
