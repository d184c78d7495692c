// SPDX-License-Identifier: Apache-2.0

// How many objects of each type there are, for each of the ways in which a type becomes known: type
// headers, interfaces, finalizers, typed fields, variables with DWARF, maps, channels, slices,
// strings, closures. Every type is counted where it is made.
package main

import (
	"runtime"
	"strconv"
	"unsafe"

	oddv2 "goheap.test/programs/odd.v2"
	"goheap.test/programs/shapes"
	"goheap.test/programs/truth"
)

const path = "goheap.test/programs/shapes."

func objects[T any](name string, count int, scan bool) *truth.Row {
	var zero T
	return truth.Objects(name, count, unsafe.Sizeof(zero), scan)
}

// What has no type by itself: only headers and finalizers tell what these refer to.
var (
	wides   [40]unsafe.Pointer
	sheets  [3]unsafe.Pointer
	handles [25]unsafe.Pointer
	locals  [10]unsafe.Pointer
)

// A number before a pointer is no interface, wherever it leads.
type number struct {
	n    uintptr
	link *shapes.Link
}

// Variables that DWARF describes.
var (
	links    *shapes.Link
	parts    *oddv2.Part
	pointers [12]**shapes.Point
	arrays   [9]*[4]*shapes.Point
	ints     *shapes.Pair[int, string]
	keyed    *shapes.Pair[shapes.Key, *shapes.Point]
	points   []shapes.Point
	messages chan *shapes.Message
	values   chan shapes.Message
	numbers  chan shapes.Key
	tables   [8]map[shapes.Key]shapes.Value
	loose    []struct {
		Name string
		Next *shapes.Link
	}
	boxed    []any
	figures  []shapes.Shape
	few      []shapes.Shape // too small for a header
	numbered []*number
	counters []func() int
	texts    []string
)

func chain(n int) *shapes.Link {
	var first *shapes.Link
	for i := 0; i < n; i++ {
		first = &shapes.Link{Next: first, N: i}
	}
	objects[shapes.Link](path+"Link", n, true)
	return first
}

func point(i int) *shapes.Point {
	objects[shapes.Point](path+"Point", 1, false)
	return &shapes.Point{X: i}
}

// text is too long for the tiny allocator.
func text(kind string, i int) string {
	s := "this is the text of a " + kind + " with number " + strconv.Itoa(i)
	truth.Objects("string", 1, uintptr(len(s)), false).AtLeast()
	return s
}

func buildStore() {
	const n = 30
	store := shapes.Store
	store.Entries = make(map[string]*shapes.Entry)
	store.Order = make([]*shapes.Entry, n)
	for i := 0; i < n; i++ {
		e := &shapes.Entry{Name: text("entry", i), Rows: make([]shapes.Row, 4)}
		e.Detail = &shapes.Detail{Note: &shapes.Note{}}
		e.Detail.Links[2] = chain(2)
		e.Rows[3].Link = chain(1)
		store.Entries[e.Name], store.Order[i], store.Newest = e, e, e
	}
	objects[shapes.Entry](path+"Entry", n, true)
	objects[shapes.Detail](path+"Detail", n, true)
	objects[shapes.Note](path+"Note", n, false)
	truth.Objects("[]"+path+"Row", n, 4*unsafe.Sizeof(shapes.Row{}), true)
	truth.Objects("[]*"+path+"Entry", 1, n*8, true)
	truth.Objects("map[string]*"+path+"Entry", 1, 48, true)
}

func buildOpaque() {
	for i := range wides {
		w := &shapes.Wide{N: i}
		w.Links[i] = chain(1)
		wides[i] = unsafe.Pointer(w)
	}
	objects[shapes.Wide](path+"Wide", len(wides), true)
	for i := range sheets {
		s := &shapes.Sheet{}
		s.Links[8999] = chain(3)
		sheets[i] = unsafe.Pointer(s)
	}
	objects[shapes.Sheet](path+"Sheet", len(sheets), true)
	for i := range handles {
		h := &shapes.Handle{Number: i, Links: make([]*shapes.Link, 2)}
		h.Links[1] = chain(1)
		runtime.SetFinalizer(h, func(h *shapes.Handle) { h.Links = nil })
		handles[i] = unsafe.Pointer(h)
	}
	objects[shapes.Handle](path+"Handle", len(handles), true).Sure()
	truth.Objects("[]*"+path+"Link", len(handles), 16, true).Sure()
	type local struct {
		link *shapes.Link
		pad  [600]byte
	}
	for i := range locals {
		locals[i] = unsafe.Pointer(&local{link: chain(1)})
	}
	objects[local]("main.local", len(locals), true)
}

func buildVariables() {
	links = chain(50)
	for i := 0; i < 7; i++ {
		parts = &oddv2.Part{Next: parts}
		ints = &shapes.Pair[int, string]{Key: i, Value: text("pair", i), Next: ints}
		keyed = &shapes.Pair[shapes.Key, *shapes.Point]{
			Key: shapes.Key{A: i}, Value: point(i), Next: keyed}
	}
	objects[oddv2.Part]("goheap.test/programs/odd.v2.Part", 7, true)
	objects[shapes.Pair[int, string]](path+"Pair[int,string]", 7, true)
	objects[shapes.Pair[shapes.Key, *shapes.Point]](path+"Pair["+path+"Key,*"+path+"Point]", 7, true)
	for i := range pointers {
		pointers[i] = new(*shapes.Point)
		*pointers[i] = point(i)
	}
	truth.Objects("*"+path+"Point", len(pointers), 8, true)
	for i := range arrays {
		arrays[i] = &[4]*shapes.Point{point(i), nil, point(i)}
	}
	truth.Objects("[4]*"+path+"Point", len(arrays), 32, true)
	points = make([]shapes.Point, 100)
	truth.Objects("[]"+path+"Point", 1, 100*unsafe.Sizeof(shapes.Point{}), false)
	loose = make([]struct {
		Name string
		Next *shapes.Link
	}, 30)
	for i := range loose {
		loose[i].Name, loose[i].Next = text("loose", i), chain(1)
	}
	truth.Objects("[]struct { Name string; Next *"+path+"Link }", 1, 30*24, true)
	texts = make([]string, 60)
	for i := range texts {
		texts[i] = text("text", i)
	}
}

func buildContainers() {
	messages = make(chan *shapes.Message, 6)
	for i := 0; i < 4; i++ {
		messages <- &shapes.Message{Text: text("message", i), From: point(i)}
	}
	objects[shapes.Message](path+"Message", 4, true)
	values = make(chan shapes.Message, 3)
	values <- shapes.Message{To: point(1)}
	numbers = make(chan shapes.Key, 50)
	truth.Objects("chan *"+path+"Message", 1, truth.ChanBytes, true)
	truth.Objects("chan *"+path+"Message buffer", 1, 6*8, true)
	truth.Objects("chan "+path+"Message", 1, truth.ChanBytes, true)
	truth.Objects("chan "+path+"Message buffer", 1, 3*unsafe.Sizeof(shapes.Message{}), true)
	truth.Objects("chan "+path+"Key", 1, truth.ChanBytes+50*16, false)
	for i := range tables {
		tables[i] = make(map[shapes.Key]shapes.Value)
		for j := 0; j < 6; j++ {
			tables[i][shapes.Key{A: j}] = shapes.Value{Name: text("value", j), Link: chain(1)}
		}
	}
	truth.Objects("map["+path+"Key]"+path+"Value", len(tables), 48, true)
	bucket := 8 + 8*(unsafe.Sizeof(shapes.Key{})+unsafe.Sizeof(shapes.Value{}))
	if truth.MapParts == "buckets" {
		bucket += 8 // the overflow pointer
	}
	truth.Objects("map["+path+"Key]"+path+"Value "+truth.MapParts, len(tables), bucket, true)
}

func buildInterfaces() {
	const n = 20
	boxed = make([]any, 0, 3*n)
	figures = make([]shapes.Shape, 0, 2*n)
	counters = make([]func() int, n)
	for i := 0; i < n; i++ {
		boxed = append(boxed, shapes.Square{Side: i}, shapes.Plain{N: [5]int{i}}, &shapes.Local{Link: chain(1)})
		figures = append(figures, shapes.Square{Side: i}, &shapes.Circle{Center: point(i)})
		counters[i] = shapes.Counter(&shapes.Captive{X: i})
	}
	few = make([]shapes.Shape, 0, 8)
	numbered = make([]*number, 4)
	for i := range numbered {
		few = append(few, shapes.Square{Side: i}, &shapes.Circle{Center: point(i)})
		numbered[i] = &number{uintptr(unsafe.Pointer(&figures)), chain(1)}
	}
	truth.Objects("[]"+path+"Shape", 1, 8*16, true)
	objects[number]("main.number", len(numbered), true)
	objects[shapes.Square](path+"Square", 2*n+len(numbered), false).Sure()
	objects[shapes.Plain](path+"Plain", n, false).Sure()
	objects[shapes.Local](path+"Local", n, true).Sure()
	objects[shapes.Circle](path+"Circle", n+len(numbered), true).Sure()
	truth.Objects("[]interface {}", 1, 3*n*16, true).AtLeast()
	truth.Objects("[]"+path+"Shape", 1, 2*n*16, true)
	truth.Objects("[]func() int", 1, n*8, true)
	truth.Objects("func "+path+"Counter.func1", n, 16, true)
}

// onStack holds objects by variables of its frame alone.
func onStack() {
	local := &shapes.Local{Link: &shapes.Link{}}
	list := []*shapes.Local{local, {}}
	plain := &shapes.Plain{}
	escape(local, plain, list)
	truth.Park()
	local.N[0]++
	plain.N[0]++
	list[1].N[0]++
}

//go:noinline
func escape(local *shapes.Local, plain *shapes.Plain, list []*shapes.Local) {
	truth.Keep(unsafe.Pointer(local))
	truth.Keep(unsafe.Pointer(plain))
	truth.Keep(unsafe.Pointer(&list[0]))
	truth.Keep(unsafe.Pointer(list[1]))
}

func build() {
	buildStore()
	buildOpaque()
	buildVariables()
	buildContainers()
	buildInterfaces()
	for i := 0; i < 5; i++ {
		truth.Stay(onStack)
	}
	objects[shapes.Local](path+"Local", 10, true)
	objects[shapes.Plain](path+"Plain", 5, false)
	objects[shapes.Link](path+"Link", 5, true)
	truth.Objects("[]*"+path+"Local", 5, 16, true)
}

// plant drops some of each.
func plant() {
	for i := range wides {
		if i%2 == 0 {
			truth.Plant(wides[i])
			truth.Plant(unsafe.Pointer((*shapes.Wide)(wides[i]).Links[i]))
			wides[i] = nil
		}
	}
	store := shapes.Store
	for i := 0; i < 10; i++ {
		e := store.Order[i]
		delete(store.Entries, e.Name)
		store.Order[i] = nil
		truth.Plant(unsafe.Pointer(e))
		truth.Plant(unsafe.Pointer(e.Detail))
		truth.Plant(unsafe.Pointer(e.Detail.Note))
		truth.Plant(unsafe.Pointer(e.Detail.Links[2]))
		truth.Plant(unsafe.Pointer(e.Detail.Links[2].Next))
		truth.Plant(unsafe.Pointer(&e.Rows[0]))
		truth.Plant(unsafe.Pointer(e.Rows[3].Link))
		truth.Plant(unsafe.Pointer(unsafe.StringData(e.Name)))
	}
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("types")
}
