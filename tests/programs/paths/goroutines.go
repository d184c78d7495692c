// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

var (
	both  *plus
	far   **plus
	full  = make(chan *plus)
	total int
)

func inLocal() {
	req := inHeap[plus]()
	req.p = inHeap[leaf]()
	at("goroutine N main.inLocal.req.p", req.p)
	truth.Park()
	runtime.KeepAlive(req)
}

// inBoth has what a variable has, which is named first, and what a variable has one hop further.
func inBoth() {
	p, near := both, inHeap[plus]()
	near.p = inHeap[leaf]()
	far = inHeap[*plus]()
	*far = near
	at("main.both.p", p.p)
	at("goroutine N main.inBoth.near.p", near.p)
	truth.Park()
	runtime.KeepAlive(p)
	runtime.KeepAlive(near)
}

// inSlice holds by a backing array that lies in the heap.
func inSlice() {
	all := newSlice(5)
	all[3] = inHeap[plus]()
	at("goroutine N main.inSlice.all[3]", all[3])
	truth.Park()
	total += len(all)
	runtime.KeepAlive(all)
}

//go:noinline
func newSlice(n int) []*plus { return make([]*plus, n+total) }

// inEscaped holds by a variable that a closure moved to the heap.
func inEscaped() {
	var last *plus
	set := func(p *plus) { last = p }
	keepFunc(set)
	set(inHeap[plus]())
	truth.Path("goroutine N main.inEscaped.last", unsafe.Pointer(last))
	truth.Park()
	runtime.KeepAlive(&last)
	runtime.KeepAlive(last)
}

//go:noinline
func keepFunc(f func(*plus)) { escape = unsafe.Pointer(&f); escape = nil }

// sending holds what it sends.
func sending() {
	truth.Parked()
	full <- newSent()
}

//go:noinline
func newSent() *plus {
	p := &plus{p: inHeap[leaf]()}
	truth.Path("goroutine N main.sending…", unsafe.Pointer(p))
	return p
}

// deferring holds by what its pending calls have captured.
func deferring() {
	for i := 0; i < 2+total; i++ {
		p := &plus{p: inHeap[leaf]()}
		if i == 1 {
			truth.Path("defer main.deferring.func1 of goroutine N: func1·p.p", unsafe.Pointer(p.p))
		}
		defer func() { total += p.Sum() }()
	}
	truth.Park()
}

// startTimer lets a timer hold what its function has captured.
//
//go:noinline
func startTimer() {
	p := &plus{p: inHeap[leaf]()}
	truth.Path("timer main.startTimer.func1: func1·p.p", unsafe.Pointer(p.p))
	time.AfterFunc(time.Hour, func() { total += p.Sum() })
}

func buildGoroutines() {
	truth.Stay(deferring)
	startTimer()
	truth.Stay(inLocal)
	both = &plus{p: inHeap[leaf]()}
	truth.Stay(inBoth)
	truth.Stay(inSlice)
	truth.Stay(sending)
	truth.Settle()
}
