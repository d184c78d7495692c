// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"runtime"

	"goheap.test/programs/truth"
)

// What functions hold besides: none of it is their defers'.
const besides = 256 << 10

//go:noinline
func room() []byte { return make([]byte, besides) }

//go:noinline
func useAll(p *item, s string, b []byte) { sum += p.n[0] + len(s) + len(b) }

//go:noinline
func useText(s string) { sum += len(s) }

//go:noinline
func text(n int) string { return string(make([]byte, n)) }

type door struct {
	p *item
	b []byte
}

//go:noinline
func (d *door) Close() error { sum += len(d.b); return nil }

// shut is small enough to be inlined into the wrapper of its call.
func (d *door) shut() { sum += d.p.n[0] }

//go:noinline
func newDoor() *door {
	d := &door{newItem(), make([]byte, 100)}
	kept = append(kept, d)
	kept = kept[:len(kept)-1]
	kept[:len(kept)+1][len(kept)] = nil
	return d
}

const doorSlot = 32

// stay open-coded: what a defer captured, and beside it what is the function's own.

func openPointer() {
	b, p := room(), newItem()
	defer func() { use(p) }()
	state(Deferred{"main.openPointer.func1", "main.openPointer", here() - 1, "open-coded", 1, 1, 8 + itemSlot, itemSlot, true, "p *main.item"})
	park()
	runtime.KeepAlive(b)
}

func openCall() {
	b, p := room(), newItem()
	defer use(p)
	state(Deferred{"main.openCall.deferwrap1", "main.openCall", here() - 1, "open-coded", 1, 1, 8 + itemSlot, itemSlot, true, "p *main.item"})
	park()
	runtime.KeepAlive(b)
}

func openText() {
	b, s := room(), text(1000)
	defer useText(s)
	state(Deferred{"main.openText.deferwrap1", "main.openText", here() - 1, "open-coded", 1, 1, 16 + 1024, 1024, true, "s string"})
	park()
	runtime.KeepAlive(b)
}

func openAll() {
	b, p, s, c := room(), newItem(), text(1000), []byte(text(2048))
	defer useAll(p, s, c)
	state(Deferred{"main.openAll.deferwrap1", "main.openAll", here() - 1, "open-coded", 1, 1, 48 + itemSlot + 1024 + 2048,
		itemSlot + 1024 + 2048, true, "p *main.item, s string, b []uint8"})
	park()
	runtime.KeepAlive(b)
}

func openMethod() {
	b, d := room(), newDoor()
	defer d.Close()
	state(Deferred{"main.openMethod.deferwrap1", "main.openMethod", here() - 1, "open-coded", 1, 1, 8 + doorSlot,
		doorSlot + itemSlot + 112, true, "d *main.door"})
	park()
	runtime.KeepAlive(b)
}

func openInlined() {
	b, d := room(), newDoor()
	defer d.shut()
	state(Deferred{"main.openInlined.deferwrap1", "main.openInlined", here() - 1, "open-coded", 1, 1, 8 + doorSlot,
		doorSlot + itemSlot + 112, true, "d *main.door"})
	park()
	runtime.KeepAlive(b)
}

//go:noinline
func closer() io.Closer { return newDoor() }

func openInterface() {
	b, c := room(), closer()
	defer c.Close()
	state(Deferred{"main.openInterface.deferwrap1", "main.openInterface", here() - 1, "open-coded", 1, 1, 16 + doorSlot,
		doorSlot + itemSlot + 112, true, ""})
	park()
	runtime.KeepAlive(b)
}

//go:noinline
func maker(p *item) (func(), int) { return func() { use(p) }, here() }

func openValue() {
	b := room()
	f, line := maker(newItem())
	defer f()
	state(Deferred{"main.maker.func1", "main.openValue", line, "open-coded", 1, 1, 8 + itemSlot, 16 + itemSlot, true, "p *main.item"})
	park()
	runtime.KeepAlive(b)
}

// inlined is inlined where it is called, with the func literal that defers.
func inlined(p *item) {
	func() {
		for i := 0; i < 2; i++ {
			defer use(p)
		}
		pc, _, line, _ := runtime.Caller(0)
		name := runtime.FuncForPC(pc).Name()
		state(Deferred{name + ".deferwrap1", name, line - 2, "heap", 2, 2, 8 + itemSlot, 0, false, "p *main.item"})
		park()
	}()
}

func callsInlined() { inlined(newItem()) }

//go:noinline
func useArray[T any](a T) { _ = a; sum++ }

// byValue copies arrays: small ones into the closure, larger ones have a place of their own.
func byValue[T any](size uintptr) {
	for i := 0; i < 3; i++ {
		var a T
		defer useArray(a)
	}
	captured, retains := size, uintptr(0)
	if size > 128 {
		captured = 8 + truth.Slot(size, false)
		retains = 3 * truth.Slot(size, false)
	}
	state(Deferred{"main.byValue[...].deferwrap1", "main.byValue[...]", here() - 7, "heap", 3, 3, captured, retains, false, ""})
	park()
}

// byReferenceInLoop captures a variable that moved to the heap, with what is behind it.
func byReferenceInLoop(size int) {
	for i := 0; i < 2; i++ {
		b := make([]byte, size)
		defer func() { useBytes(b) }()
		b = b[:size:size]
	}
	bytes := max(truth.Slot(uintptr(size), false), 16)
	state(Deferred{"main.byReferenceInLoop.func1", "main.byReferenceInLoop", here() - 4, "heap", 2, 2, 8 + 24, 2 * (24 + bytes), false,
		"&b *[]uint8"})
	park()
}

// recovered goes on after a panic: what its callee deferred has run, its own is pending.
func recovered() {
	p := newItem()
	defer use(p)
	func() {
		defer func() { recover() }()
		for i := 0; i < 3; i++ {
			defer func() { sum++ }()
		}
		panic("on purpose")
	}()
	state(Deferred{"main.recovered.deferwrap1", "main.recovered", here() - 8, "open-coded", 1, 1, 8 + itemSlot, itemSlot, true, "p *main.item"})
	park()
}

func forms() {
	for _, f := range []func(){openPointer, openCall, openText, openAll, openMethod, openInlined, openInterface,
		openValue, recovered, callsInlined} {
		stay(f)
	}
	stay(func() { byValue[[8]byte](8) })
	stay(func() { byValue[[128]byte](128) })
	stay(func() { byValue[[4096]byte](4096) })
	stay(func() { byValue[[1 << 20]byte](1 << 20) })
	for _, size := range []int{8, 4096, 1 << 20, 4 << 20} {
		size := size
		stay(func() { byReferenceInLoop(size) })
	}
}
