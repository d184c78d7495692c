// SPDX-License-Identifier: Apache-2.0

// Go that calls C that calls Go: on a goroutine that waits there, on a thread that C made, and on the
// main goroutine, which dies in it. C holds Go values by handles and pinned pointers.
package main

// #include <stdint.h>
// #include <stdlib.h>
// void call_back(uintptr_t handle);
// void start_threads(uintptr_t handle);
import "C"

import (
	"runtime"
	"runtime/cgo"
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct {
	n    [4]int
	next *item
}

type request struct {
	items [6]*item
	run   func(*request)
}

const each = 20

var (
	handles [each]cgo.Handle
	pinner  runtime.Pinner
	numbers [each]uintptr // addresses of what only the pinner holds
	outside **item        // memory of C that holds a Go pointer as a number
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

func newRequest(run func(*request)) *request {
	r := &request{run: run}
	for i := range r.items {
		r.items[i] = kept()
	}
	truth.Keep(unsafe.Pointer(r))
	return r
}

//export goCallback
func goCallback(handle C.uintptr_t) {
	local := kept()
	r := cgo.Handle(handle).Value().(*request)
	r.run(r)
	local.n[0]++
}

func park(*request) { truth.Park() }

// callAndPark waits in Go that was called from C.
func callAndPark() {
	local := kept()
	C.call_back(C.uintptr_t(cgo.NewHandle(newRequest(park))))
	local.n[0]++
}

// callTwice nests the crossings.
func callTwice() {
	local := kept()
	C.call_back(C.uintptr_t(cgo.NewHandle(newRequest(func(*request) { callAndPark() }))))
	local.n[0]++
}

func build() {
	for i := range handles {
		handles[i] = cgo.NewHandle(newRequest(nil))
		p := kept()
		pinner.Pin(p)
		numbers[i] = uintptr(unsafe.Pointer(p))
	}
	outside = (**item)(C.malloc(8))
	*(*uintptr)(unsafe.Pointer(outside)) = numbers[0]
	truth.Stay(callAndPark)
	truth.Stay(callTwice)
	n := truth.Staying()
	C.start_threads(C.uintptr_t(cgo.NewHandle(newRequest(park))))
	truth.Await(n + 1)
	truth.Settle()
}

// plant drops what only memory of C refers to, and deletes a handle.
func plant() {
	*(*uintptr)(unsafe.Pointer(outside)) = uintptr(unsafe.Pointer(dropped()))
	r := handles[0].Value().(*request)
	truth.Plant(unsafe.Pointer(r))
	for i := range r.items {
		truth.Plant(unsafe.Pointer(r.items[i]))
	}
	handles[0].Delete()
	truth.Sheds("internal/sync.(*HashTrieMap[")
	truth.Sheds("sync.(*Map).") // before Go 1.24
}

func die(*request) {
	truth.Garbage(plant)
	truth.Die("cgocall")
}

func main() {
	build()
	C.call_back(C.uintptr_t(cgo.NewHandle(newRequest(die))))
	runtime.KeepAlive(&pinner)
}
