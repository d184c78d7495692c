// SPDX-License-Identifier: Apache-2.0

// Interfaces with direct values (pointers, maps, channels, functions, structs of one pointer) and
// indirect ones (numbers, strings, structs, arrays), with and without methods.
package main

import (
	"errors"
	"fmt"
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

type shape interface{ Area() int }

type square struct{ side, scale int }

func (s square) Area() int { return s.side * s.side }

type named struct {
	name string
	item *item
}

func (n named) Area() int { return len(n.name) }

type single struct{ item *item }

func (s single) Area() int { return s.item.n[0] }

type wide struct {
	items [90]*item
	n     int
}

func (w wide) Area() int { return w.n }

type pointed struct{ items [3]*item }

func (p *pointed) Area() int { return 0 }

type list []*item

func (l list) Area() int { return len(l) }

type failure struct {
	what  string
	cause error
	item  *item
}

func (f *failure) Error() string { return f.what }

func (f *failure) Unwrap() error { return f.cause }

type holder struct {
	any   any
	shape shape
	err   error
	fn    fmt.Stringer
}

const each = 50

var (
	shapes  []shape
	values  []any
	holders []*holder
	nested  any
	dynamic shape
	failed  error
)

func kept() *item {
	p := new(item)
	truth.Keep(unsafe.Pointer(p))
	return p
}

func newWide(i int) wide {
	var w wide
	w.items[i] = kept()
	return w
}

func build() {
	shapes = make([]shape, 0, 6*each)
	values = make([]any, 0, 8*each)
	holders = make([]*holder, each, 2*each) // large enough to have its type with it
	for i := 0; i < each; i++ {
		shapes = append(shapes,
			square{i, 2},
			named{"box", kept()},
			single{kept()},
			newWide(i),
			&pointed{[3]*item{kept(), nil, kept()}},
			list{kept(), kept()})
		values = append(values,
			kept(),
			map[int]*item{1: kept()},
			func() *item { return shapes[i].(*pointed).items[0] },
			[3]*item{kept()},
			[1]*item{kept()},
			100000+i,
			[40]byte{byte(i)}, // a constant would not be in the heap
			named{"any", kept()})
		holders[i] = &holder{any: square{i, i}, shape: named{"held", kept()}}
		if i%2 == 0 {
			holders[i].err = &failure{"lost", holders[0].err, kept()}
		}
	}
	truth.Objects("main.square", 2*each, unsafe.Sizeof(square{}), false).Sure()
	truth.Objects("main.named", 3*each, unsafe.Sizeof(named{}), true).Sure()
	truth.Objects("main.wide", each, unsafe.Sizeof(wide{}), true).Sure()
	truth.Objects("main.pointed", each, unsafe.Sizeof(pointed{}), true).Sure()
	truth.Objects("[3]*main.item", each, 24, true).Sure()
	truth.Objects("[40]uint8", each, 40, false).Sure()
	truth.Objects("main.holder", each, unsafe.Sizeof(holder{}), true)
	truth.Objects("main.failure", each/2, unsafe.Sizeof(failure{}), true)
	truth.Objects("[]interface {}", 1, 8*each*16, true)
	truth.Objects("[]main.shape", 1, 6*each*16, true)
	truth.Objects("map[int]*main.item", each, 48, true)

	nested = any(&nested)
	failed = errors.Join(errors.New("first"), &failure{"second", nil, kept()})
	truth.Objects("main.failure", 1, unsafe.Sizeof(failure{}), true)
	dynamic = newWide(7)
	truth.Objects("main.wide", 1, unsafe.Sizeof(wide{}), true)
}

type wrapped struct{ item *item }

func (w *wrapped) Area() int { return w.item.n[0] }

type room struct {
	shape shape
	wake  chan int
}

// wait keeps the two words of an interface in different places while it waits.
//
//go:noinline
func wait(r *room) int {
	s, sum := r.shape, 0
	r.shape = nil
	for n := range r.wake {
		if n > 0 {
			sum += s.Area()
		}
	}
	return sum + s.Area()
}

func startWaiting() {
	for i := 0; i < 10; i++ {
		r := &room{&wrapped{kept()}, make(chan int)}
		truth.Keep(data(unsafe.Pointer(&r.shape)))
		go wait(r)
	}
	truth.Settle()
}

// plant overwrites interfaces, direct and indirect.
func plant() {
	for i := 0; i < 10; i++ {
		for j := 1; j < 6; j++ {
			drop(&shapes[6*i+j])
			shapes[6*i+j] = square{i, j}
			truth.Keep(data(unsafe.Pointer(&shapes[6*i+j])))
		}
	}

	drop(&dynamic)
	p := new(item)
	truth.Plant(unsafe.Pointer(p))
	dynamic = named{"short", p}
	truth.Plant(data(unsafe.Pointer(&dynamic)))
	dynamic = single{kept()}

	type local struct {
		item *item
		n    [3]int
	}
	truth.Plant(unsafe.Pointer(values[0].(*item)))
	values[0] = local{item: kept()}
	truth.Keep(data(unsafe.Pointer(&values[0])))
	truth.Plant(unsafe.Pointer(values[3].([3]*item)[0]))
	truth.Plant(data(unsafe.Pointer(&values[3])))
	values[3] = single{kept()}
}

// drop records the value of an interface and what only it refers to.
func drop(s *shape) {
	truth.Plant(data(unsafe.Pointer(s)))
	switch value := (*s).(type) {
	case named:
		truth.Plant(unsafe.Pointer(value.item))
	case wide:
		for _, p := range value.items {
			if p != nil {
				truth.Plant(unsafe.Pointer(p))
			}
		}
	case *pointed:
		truth.Plant(unsafe.Pointer(value.items[0]))
		truth.Plant(unsafe.Pointer(value.items[2]))
	case list:
		truth.Plant(unsafe.Pointer(unsafe.SliceData(value)))
		truth.Plant(unsafe.Pointer(value[0]))
		truth.Plant(unsafe.Pointer(value[1]))
	}
}

// data is the second word of an interface.
func data(p unsafe.Pointer) unsafe.Pointer {
	return (*[2]unsafe.Pointer)(p)[1]
}

func main() {
	build()
	startWaiting()
	truth.Garbage(plant)
	truth.Die("interfaces")
}
