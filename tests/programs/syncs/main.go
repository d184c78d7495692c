// SPDX-License-Identifier: Apache-2.0

// sync.Map, sync.Pool, atomic and unsafe pointers, and the addresses as numbers that hold nothing.
package main

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

type config struct {
	items [10]*item
	name  string
}

type node struct {
	next  atomic.Pointer[node]
	value unsafe.Pointer
	alias uintptr
}

const each = 60

var (
	shared   sync.Map
	byItem   sync.Map
	pool     = sync.Pool{New: func() any { return new(item) }}
	current  atomic.Pointer[config]
	any_     atomic.Value
	top      atomic.Pointer[node]
	raw      unsafe.Pointer
	raws     [each]unsafe.Pointer
	numbers  [each]uintptr
	once     sync.Once
	onceItem func() *item
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

func newConfig(make func() *item) *config {
	c := &config{name: "config"}
	for i := range c.items {
		c.items[i] = make()
	}
	return c
}

func build() {
	for i := 0; i < each; i++ {
		shared.Store(i, kept())
		byItem.Store(kept(), kept())
		raws[i] = unsafe.Pointer(newConfig(kept))

		n := &node{value: unsafe.Pointer(kept())}
		n.alias = uintptr(unsafe.Pointer(kept2()))
		n.next.Store(top.Load())
		top.Store(n)
		truth.Keep(unsafe.Pointer(n))
	}
	for i := 0; i < each; i++ {
		shared.Load(i) // before Go 1.24: moves the map to its read-only part
	}
	current.Store(newConfig(kept))
	any_.Store(newConfig(kept))
	raw = unsafe.Pointer(&newConfig(kept).items[4])
	once.Do(func() { any_.Load() })
	onceItem = sync.OnceValue(kept)
	onceItem()
	truth.Objects("main.node", each, unsafe.Sizeof(node{}), true)
}

// kept2 allocates what only a number refers to.
func kept2() *item { return new(item) }

func plant() {
	truth.Sheds("internal/sync.(*HashTrieMap[")
	truth.Sheds("sync.(*Map).") // before Go 1.24
	for i := range numbers {
		numbers[i] = uintptr(unsafe.Pointer(dropped()))
	}
	for i := 0; i < 10; i++ {
		p, _ := shared.Load(i)
		truth.Plant(unsafe.Pointer(p.(*item)))
		shared.Delete(i)

		c := (*config)(raws[i])
		truth.Plant(unsafe.Pointer(c))
		for _, p := range c.items {
			truth.Plant(unsafe.Pointer(p))
		}
		raws[i] = nil
	}

	old := current.Swap(newConfig(kept))
	truth.Plant(unsafe.Pointer(old))
	for _, p := range old.items {
		truth.Plant(unsafe.Pointer(p))
	}

	n := top.Load()
	for i := 0; i < 5; i++ {
		truth.Plant(unsafe.Pointer(n))
		truth.Plant(n.value)
		n = n.next.Load()
	}
	top.Store(n)

	c := newConfig(dropped)
	truth.Plant(unsafe.Pointer(c))
	any_.CompareAndSwap(c, c)

	pooled := new(item)
	truth.KeepForNow(unsafe.Pointer(pooled))
	pool.Put(pooled)
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("syncs")
}
