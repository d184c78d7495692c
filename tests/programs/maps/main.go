// SPDX-License-Identifier: Apache-2.0

// Maps: empty, small, growing and huge; keys and elements with and without pointers, and larger
// than 128 bytes (stored by pointer).
package main

import (
	"reflect"
	"strconv"
	"unsafe"

	"goheap.test/programs/truth"
)

type value struct {
	n    [4]int
	next *value
}

type bigKey struct {
	name string
	pad  [20]int
}

type bigElem struct {
	first, last *value
	pad         [20]int
}

type point struct{ x, y int32 }

type registry struct {
	byName map[string]*value
	seen   map[point]struct{}
}

const (
	smallMaps = 50
	hugeSize  = 20000
)

var (
	empty    map[string]*value
	unfilled map[string]*value
	small    [smallMaps]map[string]*value
	growing  [6]map[int]*value
	huge     map[int]*value
	numbers  map[int]int
	set      map[point]struct{}
	texts    map[string]string
	bigKeys  map[bigKey]*value
	bigElems map[int]bigElem
	bigBoth  map[bigKey]bigElem
	anything map[any]any
	nan      map[float64]*value
	ofMaps   map[string]map[int]*value
	arrays   map[[4]string][]*value
	shrunk   map[int]*value
	churned  map[int]*value
	objects  []*registry
	made     [4]any
)

// What only maps that reflect made have as keys and elements.
type (
	madeKey  struct{ a, b, c int }
	madeElem struct {
		n    [5]int
		next *madeElem
	}
	madeWide struct {
		link *madeElem
		pad  [20]int
	}
)

func kept() *value {
	p := new(value)
	truth.Keep(unsafe.Pointer(p))
	return p
}

// text makes a string in the heap that is too long for the tiny allocator.
func text(prefix string, i int) string {
	return prefix + " of the maps program " + strconv.Itoa(i)
}

func build() {
	unfilled = map[string]*value{}
	for i := range small {
		small[i] = make(map[string]*value)
		for j := 0; j < 5; j++ {
			small[i][text("small", j)] = kept()
		}
	}
	truth.Objects("map[string]*main.value", smallMaps+1, 48, true)
	truth.Objects("map[string]*main.value "+truth.MapParts, smallMaps, 8+8*(16+8)+8*oldMaps, true)

	// The sizes just above those at which a map before Go 1.24 begins to grow.
	for i := range growing {
		growing[i] = make(map[int]*value)
		for j := 0; j < 13<<uint(i+2)+2; j++ {
			growing[i][j] = kept()
		}
	}
	huge = make(map[int]*value)
	for i := 0; i < hugeSize; i++ {
		huge[i*i] = new(value)
	}
	truth.Objects("map[int]*main.value", len(growing)+1, 48, true)

	numbers = make(map[int]int)
	set = make(map[point]struct{})
	texts = make(map[string]string, 700)
	for i := 0; i < 500; i++ {
		numbers[i] = i
		set[point{int32(i), 1}] = struct{}{}
		texts[text("key", i)] = text("value", i)
	}
	truth.Objects("map[int]int", 1, 48, true)
	truth.Objects("map[string]string", 1, 48, true)

	bigKeys = make(map[bigKey]*value)
	bigElems = make(map[int]bigElem)
	bigBoth = make(map[bigKey]bigElem)
	for i := 0; i < 60; i++ {
		bigKeys[bigKey{name: text("big", i)}] = kept()
		bigElems[i] = bigElem{first: kept(), last: kept()}
		bigBoth[bigKey{name: text("both", i)}] = bigElem{last: kept()}
	}
	truth.Objects("map[main.bigKey]*main.value", 1, 48, true)
	truth.Objects("map[int]main.bigElem", 1, 48, true)
	truth.Objects("map[main.bigKey]main.bigElem", 1, 48, true)

	anything = make(map[any]any)
	nan = make(map[float64]*value)
	ofMaps = make(map[string]map[int]*value)
	arrays = make(map[[4]string][]*value)
	for i := 0; i < 30; i++ {
		anything[i+300] = kept()
		anything[text("any", i)] = point{1, 2}
		anything[kept()] = kept()
		zero := 0.0
		nan[zero/zero] = kept()
		inner := map[int]*value{i: kept(), -i - 1: kept()}
		ofMaps[text("inner", i)] = inner
		arrays[[4]string{text("array", i)}] = []*value{kept(), nil, kept()}
	}
	truth.Objects("map[int]*main.value", 30, 48, true)
	truth.Objects("map[interface {}]interface {}", 1, 48, true)
	truth.Objects("map[float64]*main.value", 1, 48, true)
	truth.Objects("map[string]map[int]*main.value", 1, 48, true)
	truth.Objects("map[[4]string][]*main.value", 1, 48, true)

	shrunk = make(map[int]*value)
	churned = make(map[int]*value)
	for i := 0; i < 3000; i++ {
		shrunk[i] = new(value)
		churned[i] = new(value)
	}
	for i := 0; i < 3000; i++ {
		if i%100 != 0 {
			delete(shrunk, i)
		}
		delete(churned, i)
		churned[i+3000] = new(value)
	}
	truth.Objects("map[int]*main.value", 2, 48, true)

	objects = make([]*registry, 20)
	for i := range objects {
		objects[i] = &registry{byName: map[string]*value{text("object", i): kept()}}
		if i%2 == 0 {
			objects[i].seen = map[point]struct{}{{1, int32(i)}: {}}
		}
	}
	truth.Objects("map[string]*main.value", 20, 48, true)
	truth.Objects("map[string]*main.value "+truth.MapParts, 20, 8+8*(16+8)+8*oldMaps, true)
	truth.Objects("map[main.point]struct {}", 11, 48, true)
	truth.Objects("main.registry", 20, unsafe.Sizeof(registry{}), true)
}

// makeMap fills a map of a type that the program does not have.
func makeMap[K, V any](n int, entry func(i int) (K, V)) any {
	m := reflect.MakeMap(reflect.MapOf(reflect.TypeOf((*K)(nil)).Elem(), reflect.TypeOf((*V)(nil)).Elem()))
	for i := 0; i < n; i++ {
		key, elem := entry(i)
		m.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(elem))
	}
	return m.Interface()
}

// buildMade has buckets with and without a header, overflow buckets, and elements held by pointer.
func buildMade() {
	made[0] = makeMap(5, func(i int) (madeKey, *madeElem) { return madeKey{a: i}, new(madeElem) })
	made[1] = makeMap(90, func(i int) (madeKey, *madeElem) { return madeKey{b: i}, new(madeElem) })
	made[2] = makeMap(3, func(i int) (int16, *madeElem) { return int16(i), new(madeElem) })
	made[3] = makeMap(20, func(i int) (uint8, madeWide) { return uint8(i), madeWide{link: new(madeElem)} })
	truth.Objects("map[main.madeKey]*main.madeElem", 2, 48, true)
	truth.Objects("map[int16]*main.madeElem", 1, 48, true)
	bucket := uintptr(8 + 8*(2+8) + 8)
	if oldMaps == 0 {
		bucket = 8 + 8*(8+8)
	}
	truth.Objects("map[int16]*main.madeElem "+truth.MapParts, 1, bucket, true)
	truth.Objects("main.madeElem", 5+90+3+20, unsafe.Sizeof(madeElem{}), true)
	truth.Objects("main.madeWide", 20, unsafe.Sizeof(madeWide{}), true)
}

// plant deletes, overwrites and clears entries.
func plant() {
	for i := 0; i < 200; i++ {
		truth.Plant(unsafe.Pointer(huge[i*i]))
		if i%2 == 0 {
			delete(huge, i*i)
		} else {
			huge[i*i] = kept()
		}
	}
	for i := range small[:10] {
		for key, p := range small[i] {
			truth.Plant(unsafe.Pointer(p))
			truth.Plant(unsafe.Pointer(unsafe.StringData(key)))
		}
		clear(small[i])
	}
	for key, elem := range texts {
		if len(texts) > 400 {
			truth.Plant(unsafe.Pointer(unsafe.StringData(key)))
			truth.Plant(unsafe.Pointer(unsafe.StringData(elem)))
			delete(texts, key)
		}
	}
	for key, p := range shrunk {
		if key%200 == 0 {
			truth.Plant(unsafe.Pointer(p))
			delete(shrunk, key)
		} else {
			truth.Keep(unsafe.Pointer(p))
		}
	}
	lone := new(value)
	for i := range objects {
		objects[i].byName["lone"] = lone
	}
	for i := range objects {
		delete(objects[i].byName, "lone")
	}
	truth.Plant(unsafe.Pointer(lone))
}

func main() {
	build()
	buildMade()
	truth.Garbage(plant)
	truth.Die("maps")
}
