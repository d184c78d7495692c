// SPDX-License-Identifier: Apache-2.0

// Pending defers of every kind in parked goroutines: open-coded, on the stack, in the heap. Many of
// the objects are held by nothing but the deferred call.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [6]int
	next *item
}

type resource struct {
	items [8]*item
}

var sum int

//go:noinline
func release(p *item) { sum += p.n[0] }

func (p *item) Close() { sum += p.n[1] }

func (r *resource) Close() { sum += r.items[3].n[2] }

func (r resource) CloseCopy() { sum += r.items[5].n[2] }

type closer interface{ Close() }

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

func newResource() *resource {
	r := new(resource)
	for i := range r.items {
		r.items[i] = kept()
	}
	return r
}

// copyResource is for methods that copy their receiver: what it refers to is held, itself it is not.
func copyResource() *resource {
	r := newResource()
	truth.Plant(unsafe.Pointer(r))
	return r
}

// openCoded has few defers and no loop: no record exists while nothing panics.
func openCoded() {
	captured := kept()
	defer func() { release(captured) }()
	defer release(kept())
	defer kept().Close()
	r := newResource()
	truth.Keep(unsafe.Pointer(r))
	defer r.Close()
	var c closer = newResource()
	defer c.Close()
	truth.Park()
}

// openCodedPartly has pending and skipped defers.
func openCodedPartly() {
	for i := range [3]int{} {
		conditional(i)
	}
	conditional(-1)
}

//go:noinline
func conditional(n int) {
	if n&1 == 0 {
		defer release(dropped())
	}
	q := new(item)
	defer func() { release(q) }()
	if n < 0 {
		truth.Keep(unsafe.Pointer(q))
		defer release(kept())
		truth.Park()
	}
}

// inLoop makes a heap record for each defer.
func inLoop() {
	for i := 0; i < 20; i++ {
		p := kept()
		if i%2 == 0 {
			defer release(p)
		} else {
			defer func() { release(p) }()
		}
	}
	truth.Park()
}

// many has more defers than can be open-coded: records on the stack.
func many() {
	defer release(kept())
	defer release(kept())
	defer release(kept())
	defer release(kept())
	defer release(kept())
	defer release(kept())
	defer release(kept())
	defer release(kept())
	defer copyResource().CloseCopy()
	defer kept().Close()
	truth.Park()
}

// nested has defers in several frames, and one that runs while the goroutine parks.
func nested() {
	defer release(kept())
	for i := 0; i < 3; i++ {
		defer release(kept())
	}
	func() {
		p := kept()
		defer func() {
			defer release(p)
			truth.Park()
		}()
		defer release(new(item)) // has run, but its slot in the frame still counts as live
	}()
}

// ran is past its defers: what they held is garbage.
func ran() {
	for i := 0; i < 4; i++ {
		func() {
			p := dropped()
			defer release(dropped())
			defer func() { release(p) }()
			for j := 0; j < 3; j++ {
				defer release(dropped())
			}
		}()
	}
	truth.Park()
}

var all = [...]func(){openCoded, openCodedPartly, inLoop, many, nested, ran}

func build() {
	for _, f := range all {
		truth.Stay(f)
		truth.Stay(f)
	}
}

func plant() {
	truth.Stay(ran)
	truth.Stay(openCoded)
	truth.Stay(nested)
}

func main() {
	truth.Sheds("main.ran")
	truth.Sheds("main.nested")
	defer release(kept())
	build()
	truth.Garbage(plant)
	truth.Die("defers")
}
