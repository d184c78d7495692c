// SPDX-License-Identifier: Apache-2.0

// Objects to which only pointers into their middle lead: fields, elements, sub-slices, substrings.
package main

import (
	"strings"
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

type record struct {
	head  *item
	count int
	name  string
	inner struct {
		list []*item
		n    int
	}
	tail *item
}

type large struct {
	items [6000]*item
	n     int
}

const (
	each = 25
	line = "a long line of text, "
)

var (
	counts  [each]*int
	lists   [each]*[]*item
	tails   [each]**item
	parts   [each][]*item
	words   [each]string
	bytes   [each][]byte
	bits    [each]*byte
	far     [4]**item
	ends    [each][]int
	strange [each]unsafe.Pointer
)

func kept() *item {
	p := new(item)
	truth.Keep(unsafe.Pointer(p))
	return p
}

func newRecord() *record {
	r := &record{head: kept(), tail: kept(), name: "record"}
	r.inner.list = []*item{kept(), kept()}
	truth.Keep(unsafe.Pointer(r))
	return r
}

func build() {
	for i := range counts {
		counts[i] = &newRecord().count
		lists[i] = &newRecord().inner.list
		tails[i] = &newRecord().tail

		array := make([]*item, 50+40*i)
		array[0], array[len(array)-1] = kept(), kept()
		parts[i] = array[20:21]
		truth.Keep(unsafe.Pointer(&array[0]))

		text := strings.Repeat(line, 2+i*i)
		words[i] = text[len(text)-5:]
		truth.Keep(unsafe.Pointer(unsafe.StringData(text)))

		buffer := make([]byte, 100+i*2000)
		bytes[i] = buffer[50:60:60]
		bits[i] = &make([]byte, 64+i*3000)[60+i*2000]
		truth.Keep(unsafe.Pointer(&buffer[0]))

		numbers := make([]int, 10+i)
		ends[i] = numbers[9+i:]
		truth.Keep(unsafe.Pointer(&numbers[0]))

		strange[i] = unsafe.Add(unsafe.Pointer(newRecord()), 13)
	}
	for i := range far {
		l := &large{}
		l.items[0], l.items[5999] = kept(), kept()
		far[i] = &l.items[3000+i]
		truth.Keep(unsafe.Pointer(l))
	}
}

// plant moves pointers out of the objects that they alone held.
func plant() {
	for i := 0; i < 10; i++ {
		dropRecord(unsafe.Pointer(counts[i]), unsafe.Offsetof(record{}.count))
		counts[i] = &newRecord().count
		dropRecord(unsafe.Pointer(tails[i]), unsafe.Offsetof(record{}.tail))
		tails[i] = nil
		dropRecord(strange[i], 13)
		strange[i] = nil

		array := unsafe.Slice((**item)(unsafe.Add(unsafe.Pointer(&parts[i][0]), -20*8)), 50+40*i)
		truth.Plant(unsafe.Pointer(&array[0]))
		truth.Plant(unsafe.Pointer(array[0]))
		truth.Plant(unsafe.Pointer(array[len(array)-1]))
		parts[i] = nil

		truth.Plant(unsafe.Add(unsafe.Pointer(unsafe.StringData(words[i])), 5-len(line)*(2+i*i)))
		words[i] = ""
		truth.Plant(unsafe.Pointer(bits[i]))
		bits[i] = nil
	}
	l := (*large)(unsafe.Add(unsafe.Pointer(far[0]), -3000*8))
	truth.Plant(unsafe.Pointer(l))
	truth.Plant(unsafe.Pointer(l.items[0]))
	truth.Plant(unsafe.Pointer(l.items[5999]))
	far[0] = nil
}

// dropRecord records the record that holds the address at offset, and what only it refers to.
func dropRecord(p unsafe.Pointer, offset uintptr) {
	r := (*record)(unsafe.Add(p, -int(offset)))
	truth.Plant(unsafe.Pointer(r))
	truth.Plant(unsafe.Pointer(r.head))
	truth.Plant(unsafe.Pointer(r.tail))
	truth.Plant(unsafe.Pointer(&r.inner.list[0]))
	truth.Plant(unsafe.Pointer(r.inner.list[0]))
	truth.Plant(unsafe.Pointer(r.inner.list[1]))
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("interior")
}
