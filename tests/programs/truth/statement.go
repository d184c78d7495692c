// SPDX-License-Identifier: Apache-2.0

// Package truth lets a test program state what it holds, and then die in a way that leaves a core,
// a heap dump and a traceback to check the statement with.
//
// Nothing that this package keeps lies in the Go heap: addresses are integers in global arrays that
// the collector does not scan, names are literals, and the JSON text is built in a global buffer.
// So stating something never keeps it alive.
package truth

import (
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Row is what a program states of one type.
type Row struct {
	name         string
	count, bytes uint64
	sure         bool // even a program without DWARF shows the type of every one
	atLeast      bool // the runtime and the standard library may have more
	inClosure    bool // a closure, or held by closures alone
}

var (
	rows  [512]Row
	nRows int

	planted, kept   [16 << 10]uintptr
	nPlanted, nKept atomic.Int32

	sheds  [16]string
	nSheds int

	paths  [128]path
	nPaths int

	text [1 << 20]byte // the JSON document
	sink unsafe.Pointer
)

// Objects states count objects of one type, each in its own slot. size is what was asked of the
// allocator (for a backing array: of the whole array), scan says whether it holds pointers.
func Objects(name string, count int, size uintptr, scan bool) *Row {
	row := find(name)
	row.count += uint64(count)
	row.bytes += uint64(count) * uint64(Slot(size, scan))
	row.sure = row.sure && scan && size > maxWithoutHeader && size <= maxNamedByHeader &&
		!isChannel(name) // its buffer's header tells the element only
	return row
}

// Slots states count objects that the allocator gives slots of a size of their own.
func Slots(name string, count int, bytes uintptr) *Row {
	row := find(name)
	row.count += uint64(count)
	row.bytes += uint64(count) * uint64(bytes)
	return row
}

func isChannel(name string) bool { return len(name) > 5 && name[:5] == "chan " }

func find(name string) *Row {
	for i := range rows[:nRows] {
		if rows[i].name == name {
			return &rows[i]
		}
	}
	row := &rows[nRows]
	nRows++
	*row = Row{name: name, sure: true}
	return row
}

// Sure adds that the type is known without DWARF, because an interface, a finalizer or an object of
// known type refers to each of the objects.
func (r *Row) Sure() { r.sure = true }

// AtLeast adds that the program does not know all objects of the type.
func (r *Row) AtLeast() { r.atLeast = true }

// InClosure adds that the objects are closures, or held by captured variables alone: up to Go 1.22
// nothing tells which function captured what.
func (r *Row) InClosure() { r.inClosure = true }

// Plant records an object that the program is about to drop: no core may show it as live.
// The address may point anywhere into the object. What is dropped before garbage is planted is not
// recorded: a collection follows that frees it. What was kept before and is planted now is garbage.
//
//go:noinline
func Plant(p unsafe.Pointer) {
	sink = p // the caller's object must be in the heap
	if planting {
		planted[nPlanted.Add(1)-1] = uintptr(p)
	}
	sink = nil
}

// KeepForNow records an object that is alive now but not for ever: a collection will run the
// finalizer or empty the pool that holds it.
func KeepForNow(p unsafe.Pointer) {
	if mode != verify {
		Keep(p)
	}
}

// PlantChan records a channel and its buffer, to which the third word of a channel points.
func PlantChan[T any](c chan T) {
	p := *(*unsafe.Pointer)(unsafe.Pointer(&c))
	Plant(p)
	Plant(*(*unsafe.Pointer)(unsafe.Add(p, 16)))
}

// Keep records an object that the program still holds: every core must show it as live.
//
//go:noinline
func Keep(p unsafe.Pointer) {
	sink = p
	kept[nKept.Add(1)-1] = uintptr(p)
	sink = nil
}

// path is how a person would write where an object is held.
type path struct {
	name    string
	address uintptr
}

// Path states the expression that leads to an object, which is held in no other way that is as
// short. "goroutine N" stands for the number of a goroutine.
//
//go:noinline
func Path(name string, p unsafe.Pointer) {
	sink = p
	paths[nPaths] = path{name, uintptr(p)}
	nPaths++
	sink = nil
}

// Sheds names a function (or the beginning of its name) that leaves garbage whose addresses the
// program cannot know, such as the closures that the compiler makes for deferred calls.
func Sheds(function string) {
	sheds[nSheds] = function
	nSheds++
}

// Func is the closure object behind a function value.
func Func(f *func()) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(f))
}

// Write prints the statement on stdout.
func Write(program string) {
	b := append(text[:0], `{"program":"`...)
	b = append(b, program...)
	b = append(b, `","mode":"`...)
	b = append(b, mode...)
	b = append(b, `","goroutines":`...)
	b = strconv.AppendInt(b, int64(runtime.NumGoroutine()), 10)
	b = append(b, `,"types":{`...)
	for i, row := range rows[:nRows] {
		b = appendComma(b, i)
		b = strconv.AppendQuote(b, row.name)
		b = append(b, `:{"count":`...)
		b = strconv.AppendUint(b, row.count, 10)
		b = append(b, `,"bytes":`...)
		b = strconv.AppendUint(b, row.bytes, 10)
		b = append(b, `,"sure":`...)
		b = strconv.AppendBool(b, row.sure)
		b = append(b, `,"at_least":`...)
		b = strconv.AppendBool(b, row.atLeast)
		b = append(b, `,"in_closure":`...)
		b = strconv.AppendBool(b, row.inClosure)
		b = append(b, '}')
	}
	b = append(b, '}')
	b = appendAddresses(b, `,"planted":[`, planted[:nPlanted.Load()])
	b = appendAddresses(b, `,"kept":[`, kept[:nKept.Load()])
	b = appendHoldings(b)
	b = append(b, `,"sheds":[`...)
	for i, function := range sheds[:nSheds] {
		b = appendComma(b, i)
		b = strconv.AppendQuote(b, function)
	}
	b = append(b, "]"...)
	if nPaths > 0 {
		b = appendPaths(b)
	}
	b = append(b, "}\n"...)
	for len(b) > 0 {
		n, err := syscall.Write(1, b)
		if err != nil {
			fail("cannot write the statement")
		}
		b = b[n:]
	}
}

func appendPaths(b []byte) []byte {
	b = append(b, `,"paths":[`...)
	for i, path := range paths[:nPaths] {
		b = appendComma(b, i)
		b = append(b, `{"name":`...)
		b = strconv.AppendQuote(b, path.name)
		b = append(b, `,"address":"0x`...)
		b = strconv.AppendUint(b, uint64(path.address), 16)
		b = append(b, `"}`...)
	}
	return append(b, ']')
}

func appendAddresses(b []byte, head string, addresses []uintptr) []byte {
	b = append(b, head...)
	for i, address := range addresses {
		b = appendComma(b, i)
		b = append(b, `"0x`...)
		b = strconv.AppendUint(b, uint64(address), 16)
		b = append(b, '"')
	}
	return append(b, ']')
}

func appendComma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

func fail(why string) {
	syscall.Write(2, []byte("truth: "+why+"\n"))
	syscall.Exit(3)
}
