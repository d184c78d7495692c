// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"unsafe"

	"goheap.test/programs/truth"
)

type (
	large struct {
		next *large
		n    [5000]int
	}
	largeNoscan  struct{ n [5000]int }
	largeInSlice struct {
		p *largeInSlice
		n [2]int
	}
	largeBytes struct{ b [40000]byte }
	exactly512 struct {
		p *exactly512
		n [63]int
	}
	exactly520 struct {
		p *exactly520
		n [64]int
	}
	noscan512 struct{ n [64]int }
	noscan520 struct{ n [65]int }
	pointer16 struct{ a, b *noscan16 }
	noscan16  struct{ a, b int }
	noscan24  struct{ a, b, c int32 } // shares a block of the tiny allocator
	manyBytes [100]byte
	byteArray struct{ data [3]uint64 }
	finalized struct {
		next *ofFinalized
		n    [3]int
	}
	ofFinalized  struct{ n [4]int }
	pinned       struct{ n [5]int }
	fromUnsafe   struct{ n [6]int }
	unsafeHolder struct{ p *fromUnsafe }
	slicedFrom   struct{ a, b int }
	zeroSized    struct{ _ [0]func() }
	padded       struct {
		flag bool
		p    *ofPadded
		last byte
	}
	ofPadded struct{ n [7]int }
)

var (
	larges       *large
	largeNoscans [2]*largeNoscan
	largeSlice   []largeInSlice
	largeBuffers []*largeBytes
	of512        *exactly512
	of520        *exactly520
	plain512     []*noscan512
	plain520     []*noscan520
	of16         []*pointer16
	byteArrays   []*manyBytes
	words        *[6]*byteArray
	finals       [4]unsafe.Pointer
	pinner       runtime.Pinner
	pin          *pinned
	unsafely     *unsafeHolder
	slicedArray  *[10]slicedFrom
	slicedSlice  []slicedFrom
	zeros        []zeroSized
	pads         []*padded
)

func buildMemory() {
	for i := 0; i < 3; i++ {
		larges = &large{next: larges}
		of512, of520 = &exactly512{p: of512}, &exactly520{p: of520}
		plain512, plain520 = append(plain512, &noscan512{}), append(plain520, &noscan520{})
		of16 = append(of16, &pointer16{&noscan16{}, &noscan16{}})
		largeBuffers = append(largeBuffers, &largeBytes{})
		byteArrays = append(byteArrays, &manyBytes{})
		pads = append(pads, &padded{p: &ofPadded{}})
	}
	made[large](3)
	made[exactly512](3)
	made[exactly520](3)
	made[noscan512](3)
	made[noscan520](3)
	made[pointer16](3)
	made[noscan16](6)
	made[largeBytes](3)
	made[manyBytes](3)
	made[padded](3)
	made[ofPadded](3)
	for i := range largeNoscans {
		largeNoscans[i] = &largeNoscan{}
	}
	made[largeNoscan](2)
	largeSlice = make([]largeInSlice, 4000)
	largeSlice[3999].p = &largeInSlice{}
	arrays[largeInSlice]("[]main.largeInSlice", 1, 4000)
	made[largeInSlice](1)
	words = &[6]*byteArray{{}, {}, 5: {}}
	made[byteArray](3)
	made[[6]*byteArray](1)

	for i := range finals {
		f := &finalized{next: &ofFinalized{}}
		runtime.SetFinalizer(f, func(f *finalized) { f.next.n[0]++ })
		finals[i] = unsafe.Pointer(f)
	}
	made[finalized](4).Sure()
	made[ofFinalized](4).Sure()
	pin = &pinned{}
	pinner.Pin(pin)
	made[pinned](1)
	unsafely = (*unsafeHolder)(unsafe.Pointer(new(*fromUnsafe)))
	unsafely.p = (*fromUnsafe)(unsafe.Pointer(new([6]int)))
	truth.Objects("main.fromUnsafe", 1, 48, false)
	slicedArray = new([10]slicedFrom)
	slicedSlice = slicedArray[:4]
	truth.Objects("[10]main.slicedFrom", 1, 160, false)
	zeros = make([]zeroSized, 10)
}

func plantMemory() {
	garbageOf[large]()
	garbageOf[largeNoscan]()
	garbageOf[exactly512]()
	garbageOf[exactly520]()
	garbageOf[noscan512]()
	garbageOf[noscan520]()
	garbageOf[pointer16]()
	garbageOf[finalized]()
	garbageOf[ofFinalized]()
	garbageOf[pinned]()
	garbageOf[ofPadded]()
}
