// SPDX-License-Identifier: Apache-2.0

// States in JSON what its DWARF must say: of types, package variables, variables in frames and what
// closures capture. Addresses are those at run time; main.anchor tells by how much they moved.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"runtime"
	"sort"
	"unsafe"

	oddv2 "goheap.test/programs/odd.v2"
)

type base struct {
	id   int64
	name string
}

type deeper struct {
	base
	level uint16
}

type node struct {
	deeper
	next   *node
	array  [7]uint16
	matrix [3][2]*node
	m      map[string]int
	c      chan *node
	any    interface{}
	err    error
	f      func(int) string
	s      []*node
	raw    unsafe.Pointer
	anon   struct{ a, b int32 }
	part   oddv2.Part
	parts  []*oddv2.Part
	c128   complex128
	loop   loop
}

type loop []loop

type table map[string]*node

type pair[K comparable, V any] struct {
	key K
	val V
}

type empty struct{}

var (
	anchor  int
	root    = &node{}
	byName  = table{}
	sums    map[int32][]string
	queue   = make(chan *node, 3)
	couple  pair[string, *node]
	part    oddv2.Part
	strange = [4]pair[int, empty]{}
	handler func(*node) error
	loops   loop
)

type fieldFact struct {
	Name     string
	Offset   uintptr
	Size     uintptr
	Embedded bool
}

type typeFact struct {
	Name         string
	Kind         int
	Size, Rtype  uintptr
	Elem, Key    string
	Count        int
	Fields       []fieldFact
	IsVariable   bool
	VariableName string
}

type place struct {
	Name string
	PC   uintptr
	Addr uintptr
	Size uintptr
	CFA  uintptr // 0: not known
}

type capture struct {
	Name  string
	Entry uintptr
	Words []uintptr // of the closure object
	Value uintptr   // what is in the word at the right offset
}

var facts struct {
	Anchor    uintptr
	Types     []typeFact
	Variables map[string]uintptr
	Places    []place
	Captures  []capture
}

func rtype(t reflect.Type) uintptr {
	return (*[2]uintptr)(unsafe.Pointer(&t))[1]
}

// name is Go's name by full import path.
func name(t reflect.Type) string {
	if t.Name() != "" && t.PkgPath() != "" {
		return t.PkgPath() + "." + t.Name()
	}
	switch t.Kind() {
	case reflect.Ptr:
		return "*" + name(t.Elem())
	case reflect.Slice:
		return "[]" + name(t.Elem())
	}
	return t.String()
}

func stateType(t reflect.Type, called string) {
	fact := typeFact{Name: called, Kind: int(t.Kind()), Size: t.Size(), Rtype: rtype(t)}
	switch t.Kind() {
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			f := t.Field(i)
			fact.Fields = append(fact.Fields, fieldFact{f.Name, f.Offset, f.Type.Size(), f.Anonymous})
		}
	case reflect.Map:
		fact.Key = name(t.Key())
		fact.Elem = name(t.Elem())
	case reflect.Array:
		fact.Count = t.Len()
		fact.Elem = name(t.Elem())
	case reflect.Chan, reflect.Slice, reflect.Ptr:
		fact.Elem = name(t.Elem())
	}
	facts.Types = append(facts.Types, fact)
}

func stateVariable(variable string, p interface{}, called string) {
	t := reflect.TypeOf(p).Elem()
	stateType(t, called)
	fact := &facts.Types[len(facts.Types)-1]
	fact.IsVariable, fact.VariableName = true, variable
	facts.Variables[variable] = reflect.ValueOf(p).Pointer()
}

var (
	noted  [64]place
	nNoted int
)

// note records where a variable of the caller is. It must not make it escape.
//
//go:noinline
func note(name string, p unsafe.Pointer, size, cfa uintptr) {
	var pcs [1]uintptr
	runtime.Callers(2, pcs[:])
	// of what is inlined FuncForPC gives the function around it
	if runtime.FuncForPC(pcs[0]-1).Entry() != reflect.ValueOf(frame).Pointer() {
		cfa = 0
	}
	noted[nNoted] = place{name, pcs[0] - 1, uintptr(p), size, cfa}
	nNoted++
}

// On amd64 the first argument that goes by the stack is at the canonical frame address; arrays of
// more than one element go by the stack.
//
//go:noinline
func frame(args [5]int64, p *node) int64 {
	cfa := uintptr(unsafe.Pointer(&args)) - firstArgument
	var local [4]*node
	local[0] = p
	var spread pair[string, *node]
	spread.key = p.name
	note("args", unsafe.Pointer(&args), unsafe.Sizeof(args), cfa)
	note("local", unsafe.Pointer(&local), unsafe.Sizeof(local), cfa)
	for i := 0; i < 2; i++ {
		inner := [2]string{p.name, "x"}
		note("inner", unsafe.Pointer(&inner), unsafe.Sizeof(inner), cfa)
	}
	note("spread", unsafe.Pointer(&spread), unsafe.Sizeof(spread), cfa)
	inlined(p, cfa)
	return args[3] + int64(len(local))
}

func inlined(p *node, cfa uintptr) {
	box := [3]*node{p}
	note("box", unsafe.Pointer(&box), unsafe.Sizeof(box), cfa)
}

var sink []func() int

//go:noinline
func closures(n int, s string, p *node) {
	counter := 41
	f := func() int {
		counter++
		return counter + n + len(s) + int(p.level)
	}
	sink = append(sink, f)
	object := *(**[8]uintptr)(unsafe.Pointer(&f))
	state := func(name string, value uintptr) {
		facts.Captures = append(facts.Captures, capture{name, object[0], object[:6], value})
	}
	state("n", uintptr(n))
	state("s", uintptr(unsafe.Pointer(unsafe.StringData(s))))
	state("p", uintptr(unsafe.Pointer(p)))
	state("&counter", uintptr(unsafe.Pointer(&counter)))
}

func main() {
	facts.Variables = map[string]uintptr{}
	facts.Anchor = uintptr(unsafe.Pointer(&anchor))
	stateType(reflect.TypeOf(node{}), "main.node")
	stateType(reflect.TypeOf(deeper{}), "main.deeper")
	stateType(reflect.TypeOf(oddv2.Part{}), "goheap.test/programs/odd.v2.Part")
	stateType(reflect.TypeOf(couple), "main.pair[string,*main.node]")
	stateType(reflect.TypeOf(root.anon), "struct { main.a int32; main.b int32 }")
	stateVariable("main.root", &root, "*main.node")
	stateVariable("main.byName", &byName, "main.table")
	stateVariable("main.sums", &sums, "map[int32][]string")
	stateVariable("main.queue", &queue, "chan *main.node")
	stateVariable("main.couple", &couple, "main.pair[string,*main.node]")
	stateVariable("main.part", &part, "goheap.test/programs/odd.v2.Part")
	stateVariable("main.strange", &strange, "[4]main.pair[int,main.empty]")
	stateVariable("main.handler", &handler, "func(*main.node) error")
	stateVariable("main.loops", &loops, "main.loop")
	stateVariable("main.anchor", &anchor, "int")
	frame([5]int64{1, 2, 3, 4, 5}, root)
	nNoted = 0 // now the stack has grown as far as it must, and stays where it is
	frame([5]int64{1, 2, 3, 4, 5}, root)
	facts.Places = noted[:nNoted]
	closures(0x7654321, "captured", root)
	sort.Slice(facts.Places, func(i, k int) bool { return facts.Places[i].PC < facts.Places[k].PC })
	if err := json.NewEncoder(os.Stdout).Encode(&facts); err != nil {
		panic(err)
	}
	runtime.KeepAlive(sink)
}
