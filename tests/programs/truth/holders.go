// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"strconv"
	"sync/atomic"
	"unsafe"
)

// Holder is who keeps objects alive, and nobody else: "main.v" a variable, "go main.f" the goroutine
// that is in main.f, "timer main.f" and "defer main.f" what will call main.f ("#2" behind it tells
// several apart), or what goheap calls it ("finalizers"). "a & b" is several of them together.
type Holder string

type holding struct {
	holder   Holder
	address  uintptr
	function string
}

var (
	holdings  [2048]holding
	nHoldings atomic.Int32
)

// Has states that the holder keeps the object that p points into.
//
//go:noinline
func (h Holder) Has(p unsafe.Pointer) {
	sink = p // the caller's object must be in the heap
	holdings[nHoldings.Add(1)-1] = holding{holder: h, address: uintptr(p)}
	sink = nil
}

// Made states that the holder keeps whatever was allocated in a function and is still alive, but
// for what is stated otherwise: what the library and the compiler allocate has no address that the
// program knows.
func (h Holder) Made(function string) {
	holdings[nHoldings.Add(1)-1] = holding{holder: h, function: function}
}

// HasChan states a channel and its buffer: the second word of a channel is its capacity (which cap
// does not tell of a timer's), the third points to the buffer.
func HasChan[T any](h Holder, c chan T) {
	p := *(*unsafe.Pointer)(unsafe.Pointer(&c))
	h.Has(p)
	if *(*int)(unsafe.Add(p, 8)) > 0 {
		h.Has(*(*unsafe.Pointer)(unsafe.Add(p, 16)))
	}
}

func appendHoldings(b []byte) []byte {
	b = append(b, `,"holders":[`...)
	for i, h := range holdings[:nHoldings.Load()] {
		b = appendComma(b, i)
		b = append(b, `{"holder":`...)
		b = strconv.AppendQuote(b, string(h.holder))
		b = append(b, `,"address":"0x`...)
		b = strconv.AppendUint(b, uint64(h.address), 16)
		b = append(b, `","function":`...)
		b = strconv.AppendQuote(b, h.function)
		b = append(b, '}')
	}
	return append(b, ']')
}
