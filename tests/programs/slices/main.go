// SPDX-License-Identifier: Apache-2.0

// Slices of 65 to 5,000 pointers (type header up to 32 KiB, large beyond), and of things that hold
// pointers.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    int
	self *item
}

type record struct {
	id    int
	first *item
	rest  []*item
}

var lengths = [...]int{
	65, 66, 100, 127, 128, 129, 255, 256, 511, 513, 1000, 1023, 1025, 2000, 2048, 3000, 4000, 4094,
	4096, 4097, 5000,
}

var (
	vectors [][]*item
	records []record
	spare   []*item // holds pointers beyond its length
	middle  []*item
	edge    **item
	mixed   []any
	nested  [][][]*item
)

func newItem(n int) *item {
	p := &item{n: n}
	p.self = p
	return p
}

func vector(n, step int) []*item {
	v := make([]*item, n)
	items := 0
	for i := 0; i < n; i += step {
		v[i] = newItem(i)
		items++
	}
	truth.Objects("main.item", items, unsafe.Sizeof(item{}), true)
	truth.Objects("[]*main.item", 1, uintptr(n)*8, true)
	return v
}

func build() {
	vectors = make([][]*item, len(lengths))
	for i, n := range lengths {
		vectors[i] = vector(n, 3)
	}
	truth.Objects("[][]*main.item", 1, uintptr(len(lengths))*24, true)

	records = make([]record, 300)
	for i := range records {
		records[i] = record{id: i, first: vectors[i%len(vectors)][0]}
		if i%10 == 0 {
			records[i].rest = vector(2+i, 5)
		}
	}
	truth.Objects("[]main.record", 1, 300*unsafe.Sizeof(record{}), true)

	spare = vector(400, 1)[:7]
	middle = vector(700, 7)[300:310]
	edge = &vector(90, 2)[44]
	truth.Keep(unsafe.Pointer(unsafe.SliceData(spare)))
	truth.Keep(unsafe.Pointer(spare[:400][399]))
	truth.Keep(unsafe.Pointer(unsafe.SliceData(middle)))
	truth.Keep(unsafe.Pointer(edge))

	mixed = make([]any, 120)
	for i := range mixed {
		switch i % 3 {
		case 0:
			mixed[i] = vectors[i%len(vectors)][0]
		case 1:
			mixed[i] = &records[i]
		}
	}
	truth.Objects("[]interface {}", 1, 120*16, true)

	nested = make([][][]*item, 70)
	for i := range nested {
		nested[i] = make([][]*item, 3)
		nested[i][1] = vectors[i%len(vectors)]
	}
	truth.Objects("[][][]*main.item", 1, 70*24, true)
	truth.Objects("[][]*main.item", 70, 3*24, true)
}

// plant empties the tail of one vector, drops others and keeps one only by its last element.
func plant() {
	long := vectors[len(vectors)-1]
	for i := 2001; i < len(long); i += 3 {
		truth.Plant(unsafe.Pointer(long[i]))
	}
	clear(long[2001:])
	vectors[len(vectors)-1] = long[:2001]

	for _, n := range lengths {
		dropped := make([]*item, n)
		truth.Plant(unsafe.Pointer(unsafe.SliceData(dropped)))
		for i := 0; i < n; i += 50 {
			dropped[i] = newItem(i)
			truth.Plant(unsafe.Pointer(dropped[i]))
		}
	}

	for _, p := range spare[:400] {
		truth.Plant(unsafe.Pointer(p))
	}
	truth.Plant(unsafe.Pointer(&spare[0]))
	tail := make([]*item, 80)
	for i := range tail {
		tail[i] = newItem(i)
		truth.Keep(unsafe.Pointer(tail[i]))
	}
	spare = tail[79:]
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("slices")
}
