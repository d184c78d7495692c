// SPDX-License-Identifier: Apache-2.0

// Locals whose address is taken, live and dead, in frames of parked goroutines: the collector scans
// such a stack object only if something live points to it.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

type box struct {
	label int
	item  *item
	inner *box
}

type crate struct {
	boxes [40]box
	spare *item
}

func kept() *item {
	p := new(item)
	truth.Keep(unsafe.Pointer(p))
	return p
}

func dropped() *item {
	p := new(item)
	truth.Plant(unsafe.Pointer(p))
	return p
}

//go:noinline
func touch(b *box) {
	for ; b != nil; b = b.inner {
		b.item.n[0]++
	}
}

//go:noinline
func fill(c *crate, make func() *item) {
	for i := range c.boxes {
		c.boxes[i].item = make()
	}
	c.spare = make()
}

// liveDirectly is used after the pause.
func liveDirectly() {
	var b box
	b.item = kept()
	touch(&b)
	truth.Park()
	touch(&b)
}

// liveThroughAnother reaches the last box through two others on the same stack.
func liveThroughAnother() {
	var first, second, third box
	first.item, second.item, third.item = kept(), kept(), kept()
	first.inner, second.inner = &second, &third
	touch(&first)
	truth.Park()
	touch(&first)
}

// liveFromHere holds a pointer into the middle of a large local.
func liveByMiddle() {
	var c crate
	fill(&c, kept)
	b := &c.boxes[17]
	touch(b)
	truth.Park()
	touch(b)
}

// liveInCaller parks in a callee that knows nothing of the caller's local.
func liveInCaller() {
	var b, inner box
	b.item, inner.item = kept(), kept()
	b.inner = &inner
	parkDeep(&b, 5)
	touch(&b)
}

//go:noinline
func parkDeep(b *box, depth int) int {
	var own box
	own.item = b.item
	if depth > 0 {
		parkDeep(&own, depth-1)
	} else {
		truth.Park()
	}
	touch(&own)
	return own.label
}

// liveByValue passes what it holds in the argument area.
func liveByValue() {
	var c crate
	fill(&c, kept)
	parkWith(c, kept())
}

//go:noinline
func parkWith(c crate, last *item) {
	truth.Park()
	fillFrom(&c, last)
}

//go:noinline
func fillFrom(c *crate, last *item) { c.boxes[0].item, c.spare = last, c.boxes[1].item }

// liveInClosure reaches its local only through a closure that lies on the stack.
func liveInClosure() {
	b := box{item: kept()}
	call(func() { touch(&b) })
}

//go:noinline
func call(f func()) {
	truth.Park()
	f()
}

func deadDirectly() {
	var b box
	b.item = dropped()
	touch(&b)
	truth.Park()
}

func deadChain() {
	var first, second box
	first.item, second.item = dropped(), dropped()
	first.inner = &second
	touch(&first)
	truth.Park()
}

func deadLarge() {
	var c crate
	fill(&c, dropped)
	live := kept()
	truth.Park()
	live.n[1]++
}

// deadBesideLive holds one of two locals of one type.
func deadBesideLive() {
	var dead, live box
	dead.item, live.item = dropped(), kept()
	touch(&dead)
	touch(&live)
	truth.Park()
	touch(&live)
}

var live = [...]func(){
	liveDirectly, liveThroughAnother, liveByMiddle, liveInCaller, liveByValue, liveInClosure,
}

var dead = [...]func(){deadDirectly, deadChain, deadLarge, deadBesideLive}

func build() {
	for _, f := range live {
		truth.Stay(f)
	}
	for _, f := range dead {
		truth.Stay(f)
	}
}

func plant() {
	for i := 0; i < 3; i++ {
		for _, f := range dead {
			truth.Stay(f)
		}
		for _, f := range live {
			truth.Stay(f)
		}
	}
}

func main() {
	var local, unused box
	local.item, unused.item = kept(), new(item)
	touch(&unused)
	build()
	truth.Garbage(plant)
	truth.Die("stackobjects")
	touch(&local)
}
