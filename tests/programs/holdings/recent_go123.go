// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import (
	"iter"
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
	mine := &inSequence{}
	for _, p := range f.items {
		if !yield(p) {
			return
		}
	}
	mine.n[0]++
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
