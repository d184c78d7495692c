// SPDX-License-Identifier: Apache-2.0

//go:build goexperiment.arenas

// User arenas (GOEXPERIMENT=arenas): chunks of 8 MiB that the collector takes for one object each,
// with pointers that their own bitmap tells. What only an arena holds is alive; a freed chunk is not
// scanned any more.
package main

import (
	"arena"
	"os"
	"unsafe"

	"goheap.test/programs/truth"
)

type (
	node struct { // in an arena
		n    int
		held *held
		next *node
		text string
	}
	plain struct{ n [5]int } // in an arena, without pointers

	held   struct{ n [6]int } // in the heap, held by an arena alone
	inRows struct{ n [7]int }
	behind struct{ n [8]int } // the same, by an array to which nothing points
	lost   struct{ n [9]int } // held by an arena that was freed
	large  struct {           // too large for a chunk: in the heap
		next *held
		n    [300 << 10]int
	}
	user struct {
		arena *arena.Arena
		first *node
		plain *plain
		rows  []*inRows
		ints  []int
	}
)

const (
	each       = 100
	chunkBytes = 8 << 20
	// what the allocator reserves of a chunk: its bitmap and a type
	reserved = chunkBytes/64 + 48
)

var (
	users  [3]*user
	filled *user // over more than one chunk
	big    *large
	number uintptr
)

func newUser(n int) *user {
	u := &user{arena: arena.NewArena()}
	for i := 0; i < n; i++ {
		p := arena.New[node](u.arena)
		p.held, p.next = &held{}, u.first
		truth.Keep(unsafe.Pointer(p.held))
		u.first = p
		u.plain = arena.New[plain](u.arena)
	}
	u.rows = arena.MakeSlice[*inRows](u.arena, 10, 20)
	for i := range u.rows {
		u.rows[i] = &inRows{}
		truth.Keep(unsafe.Pointer(u.rows[i]))
	}
	u.ints = arena.MakeSlice[int](u.arena, 50, 50)
	return u
}

// fill makes n slices of which four fill a chunk: more than a quarter of one would go to the heap.
func fill(a *arena.Arena, n int, last func() *behind) {
	const length = (chunkBytes/4 - 64<<10) / 8
	for i := 0; i < n; i++ {
		rows := arena.MakeSlice[*behind](a, length, length)
		rows[length-1] = last()
	}
}

func kept() *behind {
	p := &behind{}
	truth.Keep(unsafe.Pointer(p))
	return p
}

func dropped() *behind {
	p := &behind{}
	truth.Plant(unsafe.Pointer(p))
	return p
}

func none() *behind { return nil }

// free makes an arena, fills a chunk and frees it: what only that chunk held is garbage. The last
// chunk, which is not full, stays with the runtime, which will go on with it, and so does what it
// holds.
func free() {
	a := arena.NewArena()
	truth.Plant(unsafe.Pointer(a))
	p := arena.New[[10]*lost](a)
	for i := range p {
		p[i] = &lost{}
		truth.Plant(unsafe.Pointer(p[i]))
	}
	number = uintptr(unsafe.Pointer(p))
	fill(a, 3, dropped)
	fill(a, 2, none)
	a.Free()
}

func build() {
	for i := range users {
		users[i] = newUser(each)
	}
	filled = newUser(each)
	fill(filled.arena, 3*4, kept)
	big = arena.New[large](users[0].arena)
	big.next = &held{}
	free()
	truth.Objects("main.user", 4, unsafe.Sizeof(user{}), true)
	truth.Objects("main.large", 1, unsafe.Sizeof(large{}), true)
	truth.Objects("main.lost", 0, unsafe.Sizeof(lost{}), false)
	// of what only chunks hold: their pointers are typed by those to the values in them
	truth.Objects("main.held", 4*each+1, unsafe.Sizeof(held{}), false)
	truth.Objects("main.inRows", 4*10, unsafe.Sizeof(inRows{}), false)
	truth.Slots("user arena chunk", 3+3+1, chunkBytes-reserved).Sure()
}

// plant overwrites what chunks held. To free a chunk without a collection is for a run without a
// heap dump: runtime/debug cannot write one then, because the memory is gone.
func plant() {
	truth.Sheds("runtime.newUserArena")
	truth.Sheds("runtime.(*userArena).")
	for p := users[1].first; p != nil; p = p.next {
		truth.Plant(unsafe.Pointer(p.held))
		p.held = &held{}
		truth.Keep(unsafe.Pointer(p.held))
	}
	if os.Getenv("GOHEAP_DUMP") == "" {
		free()
	}
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("userarenas")
}
