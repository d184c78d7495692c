// SPDX-License-Identifier: Apache-2.0

// Channels: buffers with pointers (also wrapped around), senders and receivers that wait, channels
// of channels, closed and timed ones. What a sender waits to send is held by its goroutine alone.
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

type envelope struct {
	to   string
	body *message
	copy [3]*message
}

const channels = 30

var (
	buffered  [channels]chan *message
	envelopes chan envelope
	numbers   chan int
	signals   chan struct{}
	unread    chan *message
	ofChans   chan chan *message
	receiving chan *message
	closed    chan *message
	big       chan [80]*message
	timer     *time.Timer
	after     <-chan time.Time
	ticker    *time.Ticker
)

func kept() *message {
	p := new(message)
	truth.Keep(unsafe.Pointer(p))
	return p
}

func sendPointer() { truth.Parked(); unread <- kept() }

func sendEnvelope() {
	e := envelope{to: "nobody", body: kept()}
	e.copy[2] = kept()
	truth.Parked()
	envelopes <- e
}

func sendBig() { truth.Parked(); big <- [80]*message{79: kept()} }

// receive waits for ever and still needs its local.
func receive() {
	local := kept()
	truth.Parked()
	if m := <-receiving; m != nil {
		m.next = local
	}
	local.n[0]++
}

func rangeOver() {
	own := make(chan *message, 2)
	first, last := new(message), kept()
	truth.Plant(unsafe.Pointer(first))
	own <- first
	<-own
	own <- kept()
	truth.Parked()
	for m := range receiving {
		last.next = m
		own <- m
	}
}

var blocked = [...]func(){sendPointer, sendPointer, sendEnvelope, sendBig, receive, receive, rangeOver}

func build() {
	for i := range buffered {
		buffered[i] = make(chan *message, 10)
		for j := 0; j < 8; j++ {
			buffered[i] <- new(message)
		}
		for j := 0; j < 5; j++ {
			<-buffered[i]
		}
		for j := 0; j < i%6; j++ {
			buffered[i] <- kept()
		}
	}
	receiving = make(chan *message)
	unread = make(chan *message)
	closed = make(chan *message, 3)
	closed <- kept()
	close(closed)
	truth.Objects("chan *main.message", channels+3, truth.ChanBytes, true)
	truth.Objects("chan *main.message buffer", channels, 10*8, true)
	truth.Objects("chan *main.message buffer", 1, 3*8, true)

	envelopes = make(chan envelope, 20)
	for i := 0; i < 20; i++ {
		envelopes <- envelope{to: "somebody", body: kept()}
	}
	truth.Objects("chan main.envelope", 1, truth.ChanBytes, true)
	truth.Objects("chan main.envelope buffer", 1, 20*unsafe.Sizeof(envelope{}), true)

	numbers = make(chan int, 100) // without pointers the buffer is part of the channel
	numbers <- 1
	truth.Objects("chan int", 1, truth.ChanBytes+100*8, false)
	signals = make(chan struct{}, 5)

	ofChans = make(chan chan *message, 4)
	for i := 0; i < 3; i++ {
		inner := make(chan *message, 1)
		inner <- kept()
		ofChans <- inner
	}
	truth.Objects("chan chan *main.message", 1, truth.ChanBytes, true)
	truth.Objects("chan chan *main.message buffer", 1, 4*8, true)
	truth.Objects("chan *main.message", 3, truth.ChanBytes, true)
	truth.Objects("chan *main.message buffer", 3, 8, true)

	big = make(chan [80]*message, 1)
	big <- [80]*message{3: kept()}
	truth.Objects("chan [80]*main.message", 1, truth.ChanBytes, true)
	truth.Objects("chan [80]*main.message buffer", 1, 80*8, true)

	timer = time.NewTimer(time.Hour)
	after = time.After(time.Hour)
	ticker = time.NewTicker(time.Hour)
	for _, f := range blocked {
		truth.Stay(f)
	}
	truth.Objects("chan *main.message", 1, truth.ChanBytes, true) // rangeOver's
	truth.Objects("chan *main.message buffer", 1, 2*8, true)
}

// plant reads messages and drops them, and a channel with all that it buffers.
func plant() {
	for i := range buffered {
		m := <-buffered[i]
		truth.Plant(unsafe.Pointer(m))
	}
	for i := 0; i < 7; i++ {
		e := <-envelopes
		truth.Plant(unsafe.Pointer(e.body))
	}

	dropped := make(chan *message, 5)
	truth.PlantChan(dropped)
	for i := 0; i < 5; i++ {
		m := new(message)
		truth.Plant(unsafe.Pointer(m))
		dropped <- m
	}

	inner := <-ofChans
	truth.PlantChan(inner)
	truth.Plant(unsafe.Pointer(<-inner))
	truth.Stay(sendPointer)
	truth.Stay(rangeOver)
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("chans")
}
