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

func build() {
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
