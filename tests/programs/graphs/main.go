// SPDX-License-Identifier: Apache-2.0

// Graphs that recursion, quadratic time or a stack entry an edge would not survive:
// `graphs list|fan|same|self|random|defers|handles|liars N`. What main.held keeps is stated on stdout,
// in bytes.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"unsafe"

	"goheap.test/programs/abort"
	"goheap.test/programs/truth"
)

type node struct {
	next *node
	key  int
}

type wild struct {
	to  [3]*wild
	key int
}

type self struct{ self *self }

var held any

func list(n int) uintptr {
	var first *node
	for i := 0; i < n; i++ {
		first = &node{next: first}
	}
	held = first
	return uintptr(n) * 16
}

// fan is one object that leads to all others, same the same with one other.
func fan(n int) uintptr {
	all := make([]*node, n)
	for i := range all {
		all[i] = &node{key: i}
	}
	held = &all[0]
	return truth.Slot(uintptr(n)*8, true) + uintptr(n)*16
}

func same(n int) uintptr {
	all, one := make([]*node, n), &node{}
	for i := range all {
		all[i] = one
	}
	held = &all[0]
	return truth.Slot(uintptr(n)*8, true) + 16
}

func selves(n int) uintptr {
	all := make([]*self, n)
	for i := range all {
		all[i] = &self{}
		all[i].self = all[i]
	}
	held = &all[0]
	return truth.Slot(uintptr(n)*8, true) + uintptr(n)*8
}

// random is a list, so that all is reached, with edges from anywhere to anywhere.
func random(n int) uintptr {
	rng := rand.New(rand.NewSource(1))
	all := make([]*wild, n)
	for i := range all {
		all[i] = &wild{}
	}
	for i, w := range all {
		w.to = [3]*wild{all[rng.Intn(n)], all[(i+1)%n], all[rng.Intn(n)]}
	}
	held = all[0]
	return uintptr(n) * 32
}

// defers is a recursion with a defer in each frame, each of which captures an item of its own.
func defers(n int) uintptr {
	ready := make(chan bool)
	go deferAll(n, ready)
	<-ready
	last = nil
	held = &node{}
	return 16
}

//go:noinline
func deferAll(n int, ready chan bool) {
	p := &node{key: n}
	last = p // it lies in the heap
	defer func() { sum += p.key }()
	if n == 0 {
		ready <- true
		select {}
	}
	deferAll(n-1, ready)
	sum++
}

var (
	sum  int
	last *node
)

// handles is objects that have both a finalizer and a goroutine beside it, so that whoever looks for
// the owner of one among all of them never ends.
func handles(n int) uintptr {
	all := make([]*node, n)
	for i := range all {
		all[i] = &node{key: i}
		runtime.SetFinalizer(all[i], func(p *node) { sum += p.key })
		addOthers(all[i])
		go func() { select {} }()
	}
	held = &all[0]
	return truth.Slot(uintptr(n)*8, true) + uintptr(n)*16
}

type (
	pair  struct{ a, b *int }
	crowd struct{ all []unsafe.Pointer }
)

// claim looks like an interface that holds a *pair. It leads to itself, and is no pair: its first
// word is no pointer.
type claim struct {
	rtype uintptr
	data  unsafe.Pointer
}

// liars is objects that nobody names but they themselves, and what they say is wrong.
func liars(n int) uintptr {
	var like any = &pair{}
	all := make([]unsafe.Pointer, n)
	for i := range all {
		liar := &claim{rtype: *(*uintptr)(unsafe.Pointer(&like))}
		liar.data = unsafe.Pointer(liar)
		all[i] = liar.data
	}
	held = &crowd{all}
	return 24 + truth.Slot(uintptr(n)*8, true) + uintptr(n)*16
}

func main() {
	kinds := map[string]func(int) uintptr{"list": list, "fan": fan, "same": same, "self": selves,
		"random": random, "defers": defers, "handles": handles, "liars": liars}
	n, _ := strconv.Atoi(os.Args[2])
	debug.SetGCPercent(-1)
	bytes := make(chan uintptr)
	go func() { bytes <- kinds[os.Args[1]](n) }() // which leaves no stack with addresses
	fmt.Println(<-bytes)
	debug.FreeOSMemory()
	abort.InSyscall()
}
