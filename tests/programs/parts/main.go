// SPDX-License-Identifier: Apache-2.0

// Objects that only pointers into them hold, so that no pointer names them. Where size, pointers
// and what is pointed at leave one type of all that the program has, it can be told; of twins it
// cannot.
package main

import (
	"strings"
	"unsafe"

	"goheap.test/programs/truth"
)

type inner struct {
	a, b int
	next *leaf
}

type leaf struct{ n [4]int }

type outer struct {
	name  string
	id    int
	inner inner
	tail  [3]int
	more  *leaf
}

type digits struct {
	head  int
	parts [5]int32
	count uint16
	low   [3]uint16
}

// left and right are alike in all that memory shows.
type left struct {
	id   int
	mark *mark
	here mark
}

type right struct {
	size int
	mark *mark
	here mark
}

type mark struct {
	at   int
	next *leaf
}

// owned is held by pointers to all of it and by pointers into it.
type owned struct {
	flags [2]uint16
	inner inner
	label string
	next  *owned
}

type row struct {
	key   string
	value *leaf
}

const (
	each   = 50
	nOwned = 400
)

var (
	inners [each]*inner
	shorts [each][]int32
	marks  [2 * each]*mark
	rows   [each][]row
	texts  [each]string
	counts [each][]uint32
	owners [nOwned]*owned
	within [nOwned]*inner
)

func build() {
	for i := range inners {
		o := &outer{name: "outer", inner: inner{next: new(leaf)}, more: new(leaf)}
		inners[i] = &o.inner
		shorts[i] = (&digits{}).parts[1:3:3]
		marks[2*i] = &(&left{mark: new(mark), here: mark{next: new(leaf)}}).here
		marks[2*i+1] = &(&right{mark: new(mark), here: mark{next: new(leaf)}}).here

		all := make([]row, 6)
		all[2].value = new(leaf)
		rows[i] = all[2:4:4]
		texts[i] = strings.Repeat("text ", 10+i)[7:20]
		counts[i] = make([]uint32, 40)[8:12:12]
	}
	truth.Objects("main.outer", each, unsafe.Sizeof(outer{}), true)
	for i := range owners {
		owners[i] = &owned{label: "owned"}
		within[i] = &owners[i].inner
	}
	truth.Objects("main.owned", nOwned, unsafe.Sizeof(owned{}), true)
	truth.Objects("main.digits", 0, unsafe.Sizeof(digits{}), false) // or []int32
	truth.Objects("main.left", 0, unsafe.Sizeof(left{}), true)
	truth.Objects("main.right", 0, unsafe.Sizeof(right{}), true)
	truth.Objects("[]main.row", each, 6*unsafe.Sizeof(row{}), true)
	truth.Objects("[]uint32", each, 40*4, false).AtLeast()
	// of inner.next, outer.more and row.value; those of the twins' parts are known by their marks
	truth.Objects("main.leaf", 5*each, unsafe.Sizeof(leaf{}), false)
}

// plant drops objects that pointers into them held, and what they held.
func plant() {
	for i := 0; i < 10; i++ {
		old := (*outer)(unsafe.Add(unsafe.Pointer(inners[i]), -int(unsafe.Offsetof(outer{}.inner))))
		truth.Plant(unsafe.Pointer(old))
		truth.Plant(unsafe.Pointer(old.inner.next))
		truth.Plant(unsafe.Pointer(old.more))
		o := &outer{inner: inner{next: new(leaf)}}
		truth.Keep(unsafe.Pointer(o))
		truth.Keep(unsafe.Pointer(o.inner.next))
		inners[i] = &o.inner
	}
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("parts")
}
