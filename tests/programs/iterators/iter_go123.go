// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import (
	"iter"
	"maps"
	"unsafe"

	"goheap.test/programs/truth"
)

type list struct {
	items []*item
}

type tree struct {
	left, right *tree
	item        *item
}

type puller struct {
	next func() (*item, bool)
	stop func()
}

const each = 15

var (
	pullers [each]puller
	walkers [each]puller
	pairs   func() (int, *item, bool)
	sum     int
)

func (l *list) all() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		held := kept()
		for _, p := range l.items {
			if !yield(p) {
				return
			}
		}
		held.n[0]++
	}
}

func (t *tree) walk(yield func(*item) bool) bool {
	return t == nil || t.left.walk(yield) && yield(t.item) && t.right.walk(yield)
}

func newList(n int) *list {
	l := &list{make([]*item, n)}
	for i := range l.items {
		l.items[i] = kept()
	}
	truth.Keep(unsafe.Pointer(unsafe.SliceData(l.items)))
	return l
}

func newTree(depth int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{newTree(depth - 1), newTree(depth - 1), kept()}
}

func double(in iter.Seq[*item]) iter.Seq[*item] {
	return func(yield func(*item) bool) {
		for p := range in {
			if !yield(p) || !yield(p) {
				return
			}
		}
	}
}

// inBody waits inside the body of a loop over functions, with defers that belong to inBody.
func inBody() {
	outer := kept()
	for p := range double(newList(6).all()) {
		defer func() { sum += p.n[0] }()
		for q := range newList(2).all() {
			defer func() { sum += q.n[0] + outer.n[0] }()
			if p != nil {
				truth.Park()
			}
		}
	}
}

func build() {
	for i := range pullers {
		pullers[i].next, pullers[i].stop = iter.Pull(newList(5 + i).all())
		for j := 0; j < 3; j++ {
			pullers[i].next()
		}
		t := newTree(5)
		walkers[i].next, walkers[i].stop = iter.Pull(double(func(yield func(*item) bool) { t.walk(yield) }))
		if i%2 == 0 {
			walkers[i].next()
		}
	}
	index := map[int]*item{1: kept(), 2: kept(), 3: kept()}
	pairs, _ = iter.Pull2(maps.All(index))
	pairs()
	truth.Stay(inBody)
	truth.Stay(inBody)
}

// plant ends some of the coroutines. Theirs are closures and coroutines that nobody can name.
func plant() {
	for i := 0; i < 5; i++ {
		l := &list{[]*item{dropped(), dropped()}}
		truth.Plant(unsafe.Pointer(l))
		next, stop := iter.Pull(l.all2())
		next()
		stop()
	}
	truth.Stay(inBody)
}

func (l *list) all2() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		for _, p := range l.items {
			if !yield(p) {
				return
			}
		}
	}
}
