// SPDX-License-Identifier: Apache-2.0

// Finalizers: what their object refers to is alive, the object itself is not. Cleanups, weak and
// unique handles are in the files of the releases that have them.
package main

import (
	"runtime"
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

type owner struct {
	handle int
	items  [3]*item
}

type wide struct {
	items [100]*item
}

// A ring of two keeps itself alive for ever if one of them has a finalizer. One that refers only to
// itself does not: the collector ignores pointers of an object into itself.
type ring struct {
	next *ring
	item *item
}

const each = 30

var (
	owners  [each]*owner
	wides   [each]*wide
	opaque  [each]unsafe.Pointer // only the finalizer knows the type
	weakens [each]uintptr        // addresses of rings that nothing else refers to
	closed  int
)

func kept() *item {
	p := new(item)
	truth.Keep(unsafe.Pointer(p))
	return p
}

// keptForNow is held by a finalizer or cleanup whose turn comes at the next collection.
func keptForNow() *item {
	p := new(item)
	truth.KeepForNow(unsafe.Pointer(p))
	return p
}

func dropped() *item {
	p := new(item)
	truth.Plant(unsafe.Pointer(p))
	return p
}

func newOwner() *owner {
	o := &owner{items: [3]*item{kept(), nil, kept()}}
	truth.Keep(unsafe.Pointer(o))
	return o
}

func (o *owner) close() { closed += o.handle }

func build() {
	for i := range owners {
		owners[i] = newOwner()
		runtime.SetFinalizer(owners[i], (*owner).close)

		captured := kept()
		wides[i] = &wide{}
		wides[i].items[99] = kept()
		runtime.SetFinalizer(wides[i], func(w *wide) { w.items[1] = captured })

		hidden := newOwner()
		runtime.SetFinalizer(hidden, (*owner).close)
		opaque[i] = unsafe.Pointer(hidden)

		r := &ring{item: kept()}
		r.next = &ring{next: r, item: kept()}
		truth.Keep(unsafe.Pointer(r))
		truth.Keep(unsafe.Pointer(r.next))
		runtime.SetFinalizer(r, func(*ring) { closed++ })
		weakens[i] = uintptr(unsafe.Pointer(r))
	}
	truth.Objects("main.owner", 2*each, unsafe.Sizeof(owner{}), true).Sure()
	truth.Objects("main.wide", each, unsafe.Sizeof(wide{}), true)
	truth.Objects("main.ring", 2*each, unsafe.Sizeof(ring{}), true).Sure()
	buildCleanups()
	buildHandles()
}

// plant drops objects with finalizers: they are garbage, what they refer to is not.
func plant() {
	truth.Sheds("runtime.AddCleanup")
	for i := 0; i < 10; i++ {
		o := &owner{items: [3]*item{keptForNow(), nil, keptForNow()}}
		truth.Plant(unsafe.Pointer(o))
		captured := keptForNow()
		runtime.SetFinalizer(o, func(o *owner) { o.items[1] = captured })

		w := &wide{}
		w.items[50] = keptForNow()
		truth.Plant(unsafe.Pointer(w))
		runtime.SetFinalizer(w, func(w *wide) { w.items[0] = nil })

		r := &ring{item: keptForNow()}
		r.next = r
		truth.Plant(unsafe.Pointer(r))
		runtime.SetFinalizer(r, func(*ring) { closed++ })

		// Once cleared, a finalizer holds nothing.
		p := &owner{items: [3]*item{dropped()}}
		truth.Plant(unsafe.Pointer(p))
		runtime.SetFinalizer(p, (*owner).close)
		runtime.SetFinalizer(p, nil)
	}
	plantCleanups()
	plantHandles()
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("finalizers")
}
