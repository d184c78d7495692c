// SPDX-License-Identifier: Apache-2.0

// Types whose pointer mask is not in the executable: built on demand above 1 KiB since Go 1.27 and
// above 128 KiB since Go 1.24, a program for the collector before.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

type entry struct {
	id   int
	name string
	item *item
}

type wide struct {
	items [150]*item
	tail  [40]int
}

type striped struct {
	head  [100]int
	parts [64]struct {
		n    int
		item *item
	}
	any any
}

type nested struct {
	first striped
	flags [33]byte
	rows  [30]entry
}

type giant struct {
	items [20000]*item
	tail  [1000]int
}

type mixed struct {
	n       int
	entries [6000]entry
	last    *item
}

// fresh is first allocated after the last collection, so that nobody has built its mask yet.
type fresh struct {
	items [170]*item
	n     int
	map_  map[int]*item
}

const each = 12

var (
	wides    [each]*wide
	stripes  []striped
	nests    [each]*nested
	giants   [3]*giant
	mixeds   [2]*mixed
	tables   [][200]*item
	freshest [each]*fresh
	gone     int
)

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

func build() {
	for i := range wides {
		wides[i] = &wide{}
		for j := range wides[i].items {
			if j%4 == i%4 {
				wides[i].items[j] = kept()
			}
		}
		nests[i] = &nested{}
		nests[i].first.parts[60].item = kept()
		nests[i].first.any = kept()
		nests[i].rows[29] = entry{29, "last", kept()}
	}
	stripes = make([]striped, 9)
	for i := range stripes {
		stripes[i].parts[i*7].item = kept()
		stripes[i].any = entry{item: kept()}
	}
	for i := range giants {
		giants[i] = &giant{}
		giants[i].items[0], giants[i].items[19999] = kept(), kept()
	}
	for i := range mixeds {
		mixeds[i] = &mixed{last: kept()}
		mixeds[i].entries[5999] = entry{1, "end", kept()}
		mixeds[i].entries[3000].item = kept()
	}
	tables = make([][200]*item, 40)
	for i := range tables {
		tables[i][i*5] = kept()
	}
	truth.Objects("main.wide", each, unsafe.Sizeof(wide{}), true)
	truth.Objects("main.nested", each, unsafe.Sizeof(nested{}), true)
	truth.Objects("[]main.striped", 1, 9*unsafe.Sizeof(striped{}), true)
	truth.Objects("main.entry", 9, unsafe.Sizeof(entry{}), true)
	truth.Objects("main.giant", 3, unsafe.Sizeof(giant{}), true)
	truth.Objects("main.mixed", 2, unsafe.Sizeof(mixed{}), true)
	truth.Objects("[][200]*main.item", 1, 40*200*8, true)
}

func plant() {
	for i := range freshest {
		freshest[i] = &fresh{}
		freshest[i].items[i*15] = kept()
		truth.Keep(unsafe.Pointer(freshest[i]))

		f := &fresh{}
		f.items[3], f.items[169] = dropped(), dropped()
		truth.Plant(unsafe.Pointer(f))
	}
	g := &giant{}
	g.items[77] = dropped()
	truth.Plant(unsafe.Pointer(g))
	m := &mixed{last: dropped()}
	truth.Plant(unsafe.Pointer(m))
	gone = len(g.tail) + m.n

	w := wides[0]
	truth.Plant(unsafe.Pointer(w))
	for j := range w.items {
		if w.items[j] != nil {
			truth.Plant(unsafe.Pointer(w.items[j]))
		}
	}
	wides[0] = nil
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("masks")
}
