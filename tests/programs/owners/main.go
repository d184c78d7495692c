// SPDX-License-Identifier: Apache-2.0

// Owners: holdings of which the program knows who has them, and that nobody else has. What each
// owner keeps differs in size from what the others keep.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	next *item
	text *[96]byte
	n    [4]int
}

var sum int

//go:noinline
func use(p *item) { sum += p.n[0] }

// own makes an item with a text, both of which the holder alone keeps.
//
//go:noinline
func own(h truth.Holder) *item {
	p := &item{text: new([96]byte)}
	h.Has(unsafe.Pointer(p))
	h.Has(unsafe.Pointer(p.text))
	return p
}

// chain makes a list of n items.
func chain(h truth.Holder, n int) *item {
	var first *item
	for i := 0; i < n; i++ {
		p := own(h)
		p.next = first
		first = p
	}
	return first
}

// ring makes a list of n items that leads back to its first.
func ring(h truth.Holder, n int) *item {
	first := chain(h, n)
	last := first
	for last.next != nil {
		last = last.next
	}
	last.next = first
	return first
}

type pair struct{ own, common *item }

var (
	plain    *item
	circle   *item
	fields   struct{ a, b *item }
	array    [3]*item
	slice    []*item
	boxed    any
	text     string
	function func()

	// Each has something of its own, and something together with others.
	left, right          *pair
	first, second, third *item
	twice                [2]*item // both lead to the same object, which is this variable's alone
)

func buildVariables() {
	plain = chain("main.plain", 3)
	circle = ring("main.circle", 5)
	fields.a, fields.b = own("main.fields"), chain("main.fields", 2)
	for i := range array {
		array[i] = chain("main.array", i+1)
	}
	slice = make([]*item, 8, 9)
	slice[5] = own("main.slice")
	truth.Holder("main.slice").Has(unsafe.Pointer(&slice[0]))
	boxed = chain("main.boxed", 4)
	bytes := make([]byte, 700)
	text = unsafe.String(&bytes[0], len(bytes))
	truth.Holder("main.text").Has(unsafe.Pointer(&bytes[0]))
	captured := chain("main.function", 6)
	function = func() { use(captured) }
	truth.Holder("main.function").Has(truth.Func(&function))

	common := chain("main.left & main.right", 2)
	leftmost := own("main.left")
	leftmost.next = common
	left, right = &pair{own("main.left"), leftmost}, &pair{chain("main.right", 7), common}
	truth.Holder("main.left").Has(unsafe.Pointer(left))
	truth.Holder("main.right").Has(unsafe.Pointer(right))

	three := chain("main.first & main.second & main.third", 2)
	first, second, third = three, three, three
	both := chain("main.twice", 8)
	twice = [2]*item{both, both}
}

// A tomb is garbage that leads to what others hold.
type tomb struct {
	next *tomb
	to   *item
	n    [6]int
}

func buryUnder(to *item) {
	p := &tomb{to: to}
	p.next = p
	truth.Plant(unsafe.Pointer(p))
}

func plant() {
	for _, p := range []*item{plain, circle, fields.a, left.own, left.common, first} {
		buryUnder(p)
	}
	truth.Stay(dies)
}

// dies is a goroutine that leaves what it held.
func dies() {
	p := &tomb{to: plain}
	truth.Plant(unsafe.Pointer(p))
	p.next = p
	truth.Parked()
}

func main() {
	buildVariables()
	buildGoroutines()
	buildDefers()
	buildTimers()
	buildLibrary()
	buildRecent()
	buildNewest()
	truth.AroundLastCollection(fillPool, nothing)
	truth.Garbage(plant)
	truth.Die("owners")
}

func nothing() {}
