// SPDX-License-Identifier: Apache-2.0

// Objects of tens of megabytes, one of them larger than an arena of 64 MiB, mostly never touched.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

type table struct {
	first *item
	data  [20 << 20]byte
	last  *item
}

type rows struct {
	rows [1 << 20]*item
	n    int
}

var (
	arena   []byte // crosses from one arena into the next
	numbers *[3 << 20]uint64
	big     *table
	wide    *rows
	slice   []*item
	structs []struct {
		n    [7]int
		item *item
	}
	inside *byte
)

func kept() *item {
	p := new(item)
	truth.Keep(unsafe.Pointer(p))
	return p
}

func build() {
	arena = make([]byte, 66<<20)
	arena[65<<20] = 1
	inside = &make([]byte, 10<<20)[7<<20]
	numbers = new([3 << 20]uint64)
	big = &table{first: kept(), last: kept()}
	wide = &rows{}
	for i := 0; i < len(wide.rows); i += 20000 {
		wide.rows[i] = kept()
	}
	wide.rows[len(wide.rows)-1] = kept()
	slice = make([]*item, 300000)
	structs = make([]struct {
		n    [7]int
		item *item
	}, 50000)
	for i := range structs {
		if i%1000 == 999 {
			structs[i].item, slice[i] = kept(), kept()
		}
	}
	truth.Keep(unsafe.Pointer(&arena[0]))
	truth.Keep(unsafe.Pointer(inside))
	truth.Keep(unsafe.Pointer(numbers))
	truth.Keep(unsafe.Pointer(&structs[49999]))
	truth.Objects("main.table", 1, unsafe.Sizeof(table{}), true)
	truth.Objects("main.rows", 1, unsafe.Sizeof(rows{}), true)
	truth.Objects("[]*main.item", 1, 300000*8, true)
	truth.Objects("[3145728]uint64", 1, 3<<20*8, false)
}

func plant() {
	dead := new([5 << 20]byte)
	truth.Plant(unsafe.Pointer(dead))
	t := &table{first: new(item)}
	truth.Plant(unsafe.Pointer(t))
	truth.Plant(unsafe.Pointer(t.first))
	for i := 0; i < 200000; i += 20000 {
		truth.Plant(unsafe.Pointer(wide.rows[i]))
		wide.rows[i] = nil
	}
	truth.Plant(unsafe.Pointer(unsafe.SliceData(slice)))
	for i, p := range slice {
		if p != nil {
			if i%2000 == 999 {
				truth.Plant(unsafe.Pointer(p))
			} else {
				structs[i-1].item = p
			}
		}
	}
	slice = nil
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("huge")
}
