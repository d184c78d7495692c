// SPDX-License-Identifier: Apache-2.0

// Kinds of holding: each way in which a Go program keeps an object has a type of its own, so that
// the counts of one cannot make up for those of another. Everything is counted where it is made.
package main

import (
	"reflect"
	"unsafe"

	"goheap.test/programs/truth"
)

// made states n objects of T, each in its own slot, under the name that Go itself prints.
func made[T any](n int) *truth.Row {
	t := reflect.TypeOf((*T)(nil)).Elem()
	return truth.Objects(t.String(), n, t.Size(), hasPointers(t))
}

// arrays states n backing arrays for length elements of T.
func arrays[T any](name string, n, length int) *truth.Row {
	t := reflect.TypeOf((*T)(nil)).Elem()
	return truth.Objects(name, n, uintptr(length)*t.Size(), hasPointers(t))
}

func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.Interface,
		reflect.Slice, reflect.String, reflect.UnsafePointer:
		return true
	default:
		return false
	}
}

// garbageOf drops a few objects of T.
func garbageOf[T any]() {
	for i := 0; i < 3; i++ {
		truth.Plant(unsafe.Pointer(new(T)))
	}
}

func plant() {
	plantVariables()
	plantContainers()
	plantInterfaces()
	plantClosures()
	plantLibrary()
	plantGoroutines()
	plantMemory()
	plantReflected()
	plantRecent()
}

func main() {
	buildVariables()
	buildContainers()
	buildInterfaces()
	buildClosures()
	buildLibrary()
	buildGoroutines()
	buildMemory()
	buildReflected()
	buildRecent()
	truth.AroundLastCollection(fillFirstPool, fillSecondPool)
	truth.Garbage(plant)
	truth.Die("holdings")
}
