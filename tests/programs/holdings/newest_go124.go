// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package main

import (
	"runtime"
	"unsafe"
	"weak"

	"goheap.test/programs/truth"
)

type (
	weakly     struct{ n [5]int }
	weakHolder struct {
		target weak.Pointer[weakly]
		strong *weakly
	}
	cleaned    struct{ n [6]int }
	cleanupArg struct{ n [7]int }
)

var (
	weakHolders []*weakHolder
	cleaneds    [3]*cleaned
	released    int
)

func buildNewest() {
	for i := 0; i < 4; i++ {
		p := &weakly{}
		weakHolders = append(weakHolders, &weakHolder{weak.Make(p), p})
	}
	made[weakly](4)
	made[weakHolder](4)
	for i := range cleaneds {
		cleaneds[i] = &cleaned{}
		runtime.AddCleanup(cleaneds[i], release, &cleanupArg{})
	}
	made[cleaned](3)
}

func release(p *cleanupArg) { released += p.n[0] }

// plantNewest drops an object that only a weak pointer still leads to.
func plantNewest() {
	garbageOf[cleaned]()
	for i := 0; i < 3; i++ {
		p := &weakly{}
		truth.Plant(unsafe.Pointer(p))
		weakHolders[i].target = weak.Make(p)
	}
}
