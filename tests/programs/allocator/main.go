// SPDX-License-Identifier: Apache-2.0

// Allocates and moves pointers for ever while the collector runs, and holds a known set of objects
// all the time. The harness kills it at a random moment, and finds the addresses of the set in
// heldAddresses. GOHEAP_CHURN says how: "allocate" leaves it to the collector when it runs, "mark"
// keeps it marking a large heap, "sweep" keeps it sweeping many spans; "rest" is a program that has
// come to rest, so that the runtime's counters agree whenever it is stopped.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

const (
	nHeld   = 20000
	nPieces = 1000
	magic   = 0x600d0b1ec7
	workers = 3
)

type held struct {
	magic uint64
	peer  *held
	n     [2]int
}

type node struct {
	left, right *node
	data        []byte
	owner       *held
}

type block struct {
	next *block
	pad  [700]byte
}

var (
	heldAddresses [nHeld]uintptr

	pieces  [nPieces]string  // of texts that nothing else holds
	shelf   [nHeld / 2]*held // entries are swapped all the time
	inMap   = make(map[int]*held)
	inList  *held // linked by peer
	ballast []*node
	recent  [workers][512]*node
	blocks  [workers]*block
	sum     [workers]int
	crumb   [workers]*[5]int
	crumbs  int // pieces of garbage without pointers that a worker makes in a round
)

func newHeld(i int) *held {
	h := &held{magic: magic, n: [2]int{i, i}}
	heldAddresses[i] = uintptr(unsafe.Pointer(h))
	return h
}

func buildHeld() {
	for i := 0; i < nHeld; i++ {
		switch {
		case i%2 == 0:
			shelf[i/2] = newHeld(i)
		case i%4 == 1:
			inMap[i] = newHeld(i)
		default:
			h := newHeld(i)
			h.peer = inList
			inList = h
		}
	}
}

func buildPieces() {
	for i := range pieces {
		pieces[i] = strings.Repeat("text ", 40)[100:110]
	}
}

func tree(depth int, random *uint32) *node {
	*random = *random*1664525 + 1013904223
	n := &node{}
	if depth > 0 {
		n.left = tree(depth-1, random)
		n.right = tree(depth-1, random)
	}
	if *random>>28 == 0 {
		n.data = make([]byte, *random>>22&1023)
	}
	return n
}

// churn moves held objects about its own part of the shelf, and makes garbage of many sizes.
func churn(worker int) {
	own := shelf[worker*len(shelf)/workers : (worker+1)*len(shelf)/workers]
	random := uint32(worker + 1)
	for {
		for i := 0; i < 2000; i++ {
			random = random*1664525 + 1013904223
			a, b := int(random>>8)%len(own), int(random>>12)%len(own)
			own[a], own[b] = own[b], own[a]
			own[a].peer = own[b]
		}
		for i := 0; i < crumbs; i++ {
			crumb[worker] = new([5]int)
		}
		t := tree(4+int(random>>30), &random)
		t.owner = own[0]
		recent[worker][random>>16&511] = t
		if random>>29 == 0 {
			blocks[worker] = nil
		}
		blocks[worker] = &block{next: blocks[worker]}
		sum[worker]++
	}
}

func collect() {
	for {
		runtime.GC()
	}
}

func main() {
	buildHeld()
	buildPieces()
	random := uint32(7)
	switch os.Getenv("GOHEAP_CHURN") {
	case "mark":
		for i := 0; i < 200; i++ {
			ballast = append(ballast, tree(10, &random))
		}
		go collect()
	case "sweep": // little to mark, much to sweep, and nobody idle who would do it at once
		debug.SetGCPercent(400)
		crumbs = 20000
	}
	if os.Getenv("GOHEAP_CHURN") == "rest" {
		debug.SetGCPercent(-1)
		debug.FreeOSMemory() // and the scavenger finds nothing to do
	} else {
		for i := 0; i < workers; i++ {
			go churn(i)
		}
		time.Sleep(20 * time.Millisecond)
	}
	truth.Objects("main.held", nHeld, unsafe.Sizeof(held{}), true)
	truth.Write("allocator")
	time.Sleep(time.Hour) // without workers select {} is a deadlock
}
