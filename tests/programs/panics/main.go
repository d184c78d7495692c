// SPDX-License-Identifier: Apache-2.0

// Panics in flight: goroutines that wait in a deferred function while they panic, once and nested,
// after a recovery and during Goexit. The main goroutine dies in such a function.
package main

import (
	"errors"
	"runtime"
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

type failure struct {
	item *item
	pad  [3]int
}

func (f *failure) Error() string { return "a failure" }

var recovered any

func kept() *item {
	p := new(item)
	truth.Keep(unsafe.Pointer(p))
	return p
}

func keptFailure() *failure {
	f := &failure{item: kept()}
	truth.Keep(unsafe.Pointer(f))
	return f
}

func droppedFailure() *failure {
	f := &failure{item: new(item)}
	truth.Plant(unsafe.Pointer(f))
	truth.Plant(unsafe.Pointer(f.item))
	return f
}

// once holds its panic's value, and a deferred call that is still to run.
func once() {
	local := kept()
	defer func() { local.n[0]++ }()
	defer truth.Park()
	panic(keptFailure())
}

// nested panics again in a deferred function.
func nested() {
	outer := kept()
	defer func() { outer.n[0]++ }()
	defer func() {
		inner := kept()
		defer func() {
			truth.Park()
			inner.n[0]++
		}()
		panic(errors.Join(keptFailure(), keptFailure()))
	}()
	panic(keptFailure())
}

// deep panics below frames that have defers of all kinds.
func deep() {
	for i := 0; i < 3; i++ {
		p := kept()
		defer func() { p.n[0]++ }()
	}
	deeper(5, kept())
}

const parkAt = 2 // below that depth the deferred calls have run

//go:noinline
func deeper(depth int, p *item) {
	defer func() {
		if depth == parkAt {
			truth.Park()
		}
		p.n[0]++
	}()
	if depth > parkAt {
		deeper(depth-1, kept())
	} else if depth > 0 {
		deeper(depth-1, new(item))
	}
	var none *item
	p.next = none.next // a signal turns into a panic
}

// after has recovered; the value of its panic is garbage.
func after() {
	local := kept()
	fail(droppedFailure())
	fail(droppedFailure())
	truth.Park()
	local.n[0]++
}

//go:noinline
func fail(f *failure) {
	defer func() { recover() }()
	panic(f)
}

// recovering waits in the function that has recovered.
func recovering() {
	defer func() {
		value := recover()
		truth.Park()
		recovered = value
	}()
	panic(keptFailure())
}

func exiting() {
	p := kept()
	defer func() { p.n[0]++ }()
	defer truth.Park()
	runtime.Goexit()
}

var all = [...]func(){once, nested, deep, after, recovering, exiting}

func build() {
	for _, f := range all {
		truth.Stay(f)
	}
}

func plant() {
	for _, f := range all {
		truth.Stay(f)
	}
}

func main() {
	local := kept()
	defer func() { local.n[0]++ }()
	build()
	value := keptFailure()
	defer func() {
		truth.Garbage(plant)
		truth.Die("panics")
	}()
	panic(value)
}
