// SPDX-License-Identifier: Apache-2.0

// Tiny values: several without pointers share a block of 16 bytes, which lives as long as one of
// them is reached. Beside them the smallest objects with pointers.
package main

import (
	"strconv"
	"unsafe"

	"goheap.test/programs/truth"
)

type dot struct{ x, y, z uint8 }

type reference struct{ to *dot }

const each = 400

var (
	flags      [each]*bool
	small      [each]*int16
	dots       [each]*dot
	words      [each]string
	numbers    [each]*int64
	fractions  [each]*[3]float32
	references [each]*reference
	pointers   [each]**dot
	empty      [each]*struct{}
	boxed      [each]any
	last       *byte
)

func build() {
	for i := range flags {
		flags[i], small[i], numbers[i] = new(bool), new(int16), new(int64)
		dots[i] = &dot{z: uint8(i)}
		words[i] = strconv.Itoa(i * 1001)
		fractions[i] = new([3]float32)
		references[i] = &reference{dots[i]}
		pointers[i] = &dots[i]
		empty[i] = new(struct{})
		boxed[i] = i + 1000
		truth.Keep(unsafe.Pointer(flags[i]))
		truth.Keep(unsafe.Pointer(small[i]))
		truth.Keep(unsafe.Pointer(numbers[i]))
		truth.Keep(unsafe.Pointer(dots[i]))
		truth.Keep(unsafe.Pointer(fractions[i]))
		truth.Keep(unsafe.Pointer(references[i]))
	}
	truth.Objects("main.reference", each, 8, true)

	// Only the last byte of each block stays referred to.
	for i := 0; i < 64; i++ {
		last = &new([15]byte)[14]
		truth.Plant(unsafe.Pointer(last))
	}
	last = &new([15]byte)[14]
	truth.Keep(unsafe.Pointer(last))
}

// plant drops blocks that are filled by one value of 15 bytes.
func plant() {
	truth.Plant(unsafe.Pointer(last))
	for i := 0; i < 50; i++ {
		b := new([15]byte)
		if i%5 == 0 {
			last = &b[7]
		}
		if i != 45 {
			truth.Plant(unsafe.Pointer(b))
		}
	}
	for i := 0; i < 100; i++ {
		references[i] = drop(references[i])
	}
}

func drop(old *reference) *reference {
	truth.Plant(unsafe.Pointer(old))
	p := &reference{old.to}
	truth.Keep(unsafe.Pointer(p))
	return p
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("tiny")
}
