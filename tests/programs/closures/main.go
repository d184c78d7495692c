// SPDX-License-Identifier: Apache-2.0

// Closures, method values and functions made by reflection: what they captured is held by nothing
// else.
package main

import (
	"reflect"
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [5]int
	next *item
}

func (p *item) Sum() int { return p.n[0] + p.n[1] }

func (p item) Copy() int { return p.n[2] }

type summer interface{ Sum() int }

type handler struct {
	name string
	do   func(int) int
	undo func()
}

const each = 40

var (
	counters []func() int
	handlers []*handler
	methods  []func() int
	made     []any
	factory  func(int) func() *item
	latest   func() int
	narrowed func() *item
)

func kept() *item {
	p := new(item)
	truth.Keep(unsafe.Pointer(p))
	return p
}

// counter captures one variable by value and one by reference.
//
//go:noinline
func counter(p *item) func() int {
	calls := 0
	return func() int {
		calls++
		return calls + p.n[0]
	}
}

// compose captures two functions and an array too large to be captured by value.
//
//go:noinline
func compose(f, g func() int) func() int {
	var memory [32]*item
	memory[7] = kept()
	return func() int {
		memory[8] = memory[7]
		return f() + g()
	}
}

// wide captures more than 512 bytes by value.
//
//go:noinline
func wide(p *item) func() int {
	a, b, c, d, e := [16]*item{p}, [16]*item{}, [16]*item{}, [16]*item{}, [16]*item{3: kept()}
	return func() int { return a[0].n[0] + b[1].n[0] + c[2].n[0] + d[1].n[0] + e[3].n[0] }
}

// narrow captures arrays of one type by value and by reference.
//
//go:noinline
func narrow(p, q *item) func() *item {
	value, variable := [4]*item{p, nil, p, p}, [4]*item{q, q, q, nil}
	change := func(i int) { variable[i] = value[i] }
	return func() *item {
		change(1)
		return value[0]
	}
}

func build() {
	counters = make([]func() int, 0, 4*each)
	handlers = make([]*handler, each)
	methods = make([]func() int, 0, 4*each)
	for i := 0; i < each; i++ {
		f, g := counter(kept()), counter(kept())
		counters = append(counters, f, g, compose(f, g))
		truth.Objects("func main.counter.func1", 2, 3*8, true)
		if i%10 == 0 {
			counters = append(counters, wide(kept()))
			truth.Objects("func main.wide.func1", 1, 8+5*16*8, true)
		}

		p := kept()
		handlers[i] = &handler{name: "handler"}
		handlers[i].do = func(n int) int { return n + p.n[1] }
		if i%2 == 0 {
			handlers[i].undo = func() { handlers[i].do(i) }
		}

		var s summer = kept()
		methods = append(methods, kept().Sum, new(item).Copy, s.Sum)
	}
	truth.Objects("main.handler", each, unsafe.Sizeof(handler{}), true)

	value := reflect.ValueOf(kept())
	made = append(made, value.MethodByName("Sum").Interface())
	inner := kept()
	made = append(made, reflect.MakeFunc(reflect.TypeOf(latest), func([]reflect.Value) []reflect.Value {
		return []reflect.Value{reflect.ValueOf(inner.Sum())}
	}).Interface())

	nursery := make([]*item, 12)
	for i := range nursery {
		nursery[i] = kept()
	}
	narrowed = narrow(kept(), kept())
	factory = func(i int) func() *item {
		return func() *item { return nursery[i] }
	}
}

// plant drops closures with what they captured, and holds a variable by one of two closures.
func plant() {
	for i := 0; i < 10; i++ {
		p, shared := new(item), kept()
		dead := func() { p.next = shared }
		truth.Plant(unsafe.Pointer(p))
		truth.Plant(truth.Func(&dead))
		live := func() { shared.n[0]++ }
		truth.Keep(truth.Func(&live))
		if old := truth.Func(&handlers[i].undo); old != nil {
			truth.Plant(old)
		}
		handlers[i].undo = live
	}

	q := new(item)
	bound := q.Sum
	truth.Plant(unsafe.Pointer(q))
	truth.Plant(*(*unsafe.Pointer)(unsafe.Pointer(&bound)))
	latest = bound
	latest = nil
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("closures")
}
