// SPDX-License-Identifier: Apache-2.0

// What closures have captured, where neither DWARF nor the allocator tells which function captured
// what. A closure of a shape that only one type of closure has can be told; twins cannot.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type (
	// in closures of shapes of their own
	alone struct {
		n    [3]int
		next *alone
	}
	beside struct{ n [4]int }
	before struct{ n [5]int }

	// captured by closures that are alike in size and pointers
	left struct {
		n    [6]int
		next *left
	}
	right struct {
		next *right
		n    [6]int
	}

	// captured in generic code
	behind struct{ n [7]int }
)

const each = 20

type holder struct {
	alones, lefts, rights [each]func() int
	generic               [each]func() *behind
}

var (
	held   any // so that the functions are known without DWARF
	latest func() int
)

//go:noinline
func captureAlone(p *alone, b *[3]*beside, text string, f *before, more []*alone) func() int {
	x, y, z := len(text), text, 2.5
	return func() int {
		if b[1] != nil && len(more) > 1 {
			return x + len(y) + int(z)
		}
		return p.n[0] + b[0].n[0] + f.n[0] + len(more)
	}
}

//go:noinline
func captureLeft(p *left, a, b int) func() int {
	return func() int { return p.n[a] + b }
}

//go:noinline
func captureRight(p *right, a, b int) func() int {
	return func() int { return p.n[b] + a }
}

//go:noinline
func captureGeneric[T any](p *T) func() *T {
	return func() *T { return p }
}

func build() {
	h := &holder{}
	held = h
	for i := range h.alones {
		h.alones[i] = captureAlone(&alone{next: &alone{}}, &[3]*beside{{}, nil, {}}, "text", &before{}, nil)
		h.lefts[i] = captureLeft(&left{next: &left{}}, 1, i)
		h.rights[i] = captureRight(&right{next: &right{}}, 2, i)
		h.generic[i] = captureGeneric(&behind{})
	}
	truth.Objects("main.alone", 2*each, unsafe.Sizeof(alone{}), true).InClosure()
	truth.Objects("main.beside", 2*each, unsafe.Sizeof(beside{}), true).InClosure()
	truth.Objects("main.before", each, unsafe.Sizeof(before{}), true).InClosure()
	truth.Objects("main.left", 2*each, unsafe.Sizeof(left{}), true).InClosure()
	truth.Objects("main.right", 2*each, unsafe.Sizeof(right{}), true).InClosure()
}

// plant drops closures with what they captured.
func plant() {
	for i := 0; i < 5; i++ {
		p, q := &left{}, &right{}
		truth.Plant(unsafe.Pointer(p))
		truth.Plant(unsafe.Pointer(q))
		latest = captureLeft(p, 1, i)
		truth.Plant(*(*unsafe.Pointer)(unsafe.Pointer(&latest)))
		latest = captureRight(q, 1, i)
		truth.Plant(*(*unsafe.Pointer)(unsafe.Pointer(&latest)))
		latest = nil
	}
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("captured")
}
