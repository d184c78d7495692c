// SPDX-License-Identifier: Apache-2.0

// Objects that two typed pointers call by different names: by conversion, which is no contradiction,
// and by unsafe casts, which is one. And a struct that is part of itself, as interpreters make them.
package main

import (
	"reflect"
	"unsafe"

	"goheap.test/programs/truth"
)

type item struct{ n [6]int }

type first struct {
	a, b *item
	n    [2]int
}

type second first

type other struct {
	a *item
	b *[6]int
	n [2]int
}

const (
	nConverted = 5
	nCast      = 7
	nNested    = 9
)

var (
	firsts  [nConverted]*first
	seconds [nConverted]*second
	plains  [nCast]*first
	others  [nCast]*other
	again   [nCast]*other // of the first one
	nested  [nNested]any
)

// What internal/abi.StructType is.
type structType struct {
	_      [56]byte
	fields []struct {
		name unsafe.Pointer
		typ  unsafe.Pointer
		_    uintptr
	}
}

func descriptor(t reflect.Type) unsafe.Pointer { return (*[2]unsafe.Pointer)(unsafe.Pointer(&t))[1] }

// Returns struct { Key string; Next *struct { Key string; Next … } }.
func nestedType() reflect.Type {
	t := reflect.StructOf([]reflect.StructField{
		{Name: "Key", Type: reflect.TypeOf("")},
		{Name: "Next", Type: reflect.TypeOf(new(byte))},
	})
	(*structType)(descriptor(t)).fields[1].typ = descriptor(reflect.PointerTo(t))
	return t
}

func main() {
	t := nestedType()
	for i := range nested {
		nested[i] = reflect.New(t).Interface()
	}
	for i := range firsts {
		firsts[i] = &first{a: new(item), b: new(item)}
		seconds[i] = (*second)(firsts[i])
	}
	for i := range plains {
		plains[i] = &first{a: new(item)}
		others[i] = (*other)(unsafe.Pointer(plains[i]))
		again[i] = others[0]
	}
	truth.Die("casts")
}
