// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import (
	"iter"
	"runtime"
	"unique"
	"unsafe"

	"goheap.test/programs/truth"
)

type (
	uniqueValue struct {
		name string
		n    int
	}
	uniqueHolder struct{ handle unique.Handle[uniqueValue] }
	pulled       struct{ n [3]int }
	inSequence   struct{ n [4]int }
	pullFrom     struct{ items []*pulled }
)

var (
	handles [3]uniqueHolder
	held    *uniqueHolder
	nexts   []func() (*pulled, bool)
)

func (f *pullFrom) all(yield func(*pulled) bool) {
	mine := inHeap[inSequence]()
	for _, p := range f.items {
		if !yield(p) {
			return
		}
	}
	runtime.KeepAlive(mine)
	runtime.KeepAlive(f)
}

func buildRecent() {
	for i := range handles {
		handles[i] = uniqueHolder{unique.Make(uniqueValue{"name", i})}
	}
	held = &uniqueHolder{unique.Make(uniqueValue{"other", 1})}
	made[uniqueValue](4)
	made[uniqueHolder](1)
	for i := 0; i < 2; i++ {
		f := &pullFrom{[]*pulled{{}, {}, {}}}
		next, _ := iter.Pull(iter.Seq[*pulled](f.all))
		next()
		nexts = append(nexts, next)
	}
	made[pullFrom](2)
	made[pulled](6)
	made[inSequence](2)
	arrays[*pulled]("[]*main.pulled", 2, 3)
	buildNewest()
}

func plantRecent() {
	garbageOf[uniqueValue]()
	garbageOf[pulled]()
	garbageOf[inSequence]()
	p := &uniqueHolder{}
	truth.Plant(unsafe.Pointer(p))
	plantNewest()
}
