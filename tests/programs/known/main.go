// SPDX-License-Identifier: Apache-2.0

// Objects that the runtime and the standard library hand out under another type than they allocate,
// or keep behind an unsafe.Pointer, and what only those hold.
package main

import (
	"reflect"
	"sync"
	"time"
	"unsafe"

	oddv2 "goheap.test/programs/odd.v2"
	"goheap.test/programs/truth"
)

type mapped struct {
	n    [3]int
	next *mapped
}

type bound struct {
	n    [5]int
	next *bound
}

func (b *bound) Sum() int { return b.n[0] + b.n[1] }

type pair struct{ first, second *held }

func (p pair) Sum() int { return p.first.n[0] + p.second.n[0] }

type held struct {
	n    [7]int
	next *held
}

type summer interface{ Sum() int }

type behind struct {
	n    [9]int
	next *behind
}

func (b *behind) Sum() int { return b.n[2] }

type reflected struct {
	n    [11]int
	next *reflected
}

const each = 60

var (
	table    sync.Map
	timers   []*time.Timer
	tickers  []*time.Ticker
	methods  []func() int
	values   []reflect.Value
	indirect []reflect.Value
	latest   func() int
)

type lesser interface{ Less() bool }

// Each assertion and switch below has a cache of its own, which only the compiler's variable leads
// to. The runtime fills it on one miss in a thousand: see runtime/iface.go.
const misses = 100_000

//go:noinline
func assert1(v any) bool { _, ok := v.(summer); return ok }

//go:noinline
func assert2(v any) bool { _, ok := v.(lesser); return ok }

//go:noinline
func assert3(v any) int { return v.(summer).Sum() }

//go:noinline
func switch1(v any) int {
	switch v := v.(type) {
	case lesser:
		return 1
	case summer:
		return v.Sum()
	}
	return 0
}

//go:noinline
func switch2(v any) int {
	switch v.(type) {
	case summer:
		return 1
	case lesser:
		return 2
	}
	return 0
}

func fillCaches() {
	var v any = &bound{}
	for i := 0; i < misses; i++ {
		if !assert1(v) || assert2(v) || assert3(v)+switch1(v)+switch2(v) != 1 {
			panic("bound sums")
		}
	}
	// of two entries each: twice as many as types were asked about
	truth.Objects("internal/abi.TypeAssertCache", 3, 8+2*16, false).AtLeast()
	truth.Objects("internal/abi.InterfaceSwitchCache", 2, 8+2*24, false).AtLeast()
}

func build() {
	fillCaches()
	for i := 0; i < each; i++ {
		table.Store(1000+i, &mapped{})
	}
	truth.Objects("main.mapped", each, unsafe.Sizeof(mapped{}), true)
	stateTable(each)

	for i := 0; i < each; i++ {
		timers = append(timers, time.NewTimer(time.Hour))
		tickers = append(tickers, time.NewTicker(time.Hour))
	}
	stateTimers(each)

	for i := 0; i < each; i++ {
		var s summer = &behind{}
		methods = append(methods, (&bound{}).Sum, pair{&held{}, &held{}}.Sum, s.Sum,
			(&oddv2.Bound{}).Sum, oddv2.Counter(nil))
	}
	truth.Objects("goheap.test/programs/odd.v2.Bound", each, unsafe.Sizeof(oddv2.Bound{}), true)
	truth.Objects("func goheap.test/programs/odd.v2.Counter.func1", each, 16, true)
	truth.Objects("main.bound", each, unsafe.Sizeof(bound{}), true)
	truth.Objects("main.held", 2*each, unsafe.Sizeof(held{}), true)
	truth.Objects("main.behind", each, unsafe.Sizeof(behind{}), true)

	for i := 0; i < each; i++ {
		values = append(values, reflect.ValueOf(&reflected{}))
		indirect = append(indirect, reflect.New(reflect.TypeOf(reflected{})).Elem())
	}
	truth.Objects("main.reflected", 2*each, unsafe.Sizeof(reflected{}), true)
	buildUnique(each)
}

// plant overwrites what reflect.Values lead to, and drops a method value with its receiver.
func plant() {
	for i := 0; i < 10; i++ {
		truth.Plant(values[i].UnsafePointer())
		r := &reflected{}
		truth.Keep(unsafe.Pointer(r))
		values[i] = reflect.ValueOf(r)

		b := &bound{}
		sum := b.Sum
		truth.Plant(unsafe.Pointer(b))
		truth.Plant(*(*unsafe.Pointer)(unsafe.Pointer(&sum)))
		latest = sum
	}
	latest = nil
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("known")
}
