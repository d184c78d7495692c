// SPDX-License-Identifier: Apache-2.0

// Who holds what through each kind of step: each object is held in one way, and the program states
// the expression that a person would write for it.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

// at states the expression of an object.
func at[T any](name string, p *T) *T {
	truth.Path(name, unsafe.Pointer(p))
	return p
}

var escape unsafe.Pointer

// inHeap makes an object that would stay on the stack otherwise.
func inHeap[T any]() *T {
	p := new(T)
	escape = unsafe.Pointer(p)
	escape = nil
	return p
}

// text is a string that lies in the heap.
//
//go:noinline
func text(s string) string {
	b := []byte(s)
	escape = unsafe.Pointer(&b[0])
	escape = nil
	return string(b) + "."
}

func plant() {}

func main() {
	buildFields()
	buildContainers()
	buildInterfaces()
	buildLibrary()
	buildGoroutines()
	truth.Garbage(plant)
	truth.Die("paths")
}
