// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// What every program drops besides the garbage of its own subject. The first word of a type with
// pointers is a pointer, so that planted objects can be linked into rings.
type (
	junkSmall struct {
		next *junkSmall
		n    [3]int
	}
	junkMiddle struct { // the largest size without a type header
		next *junkMiddle
		n    [63]int
	}
	junkHeader struct {
		next *junkHeader
		n    [100]int
	}
	junkLarge struct {
		next *junkLarge
		n    [8 << 10]int
	}
	junkBytes      [48]byte
	junkManyBytes  [3000]byte
	junkLargeBytes [100 << 10]byte

	// disguise refers to junk by a number, which keeps nothing alive.
	disguise struct {
		address uintptr
		real    *junkSmall
	}
)

// What holds the neighbours of the garbage. All of it is made before the last collection, so that
// planting leaves no other garbage than it records.
var (
	held      [256]unsafe.Pointer
	nHeld     int
	emptied   map[int]*junkSmall
	drained   chan *junkSmall
	truncated []*junkSmall
	disguised *disguise
	planter   func()
	planting  bool
	ended     atomic.Bool
)

// Garbage plants garbage in the modes that ask for it: the kinds of this file and those of the
// program. own must be a plain function (a closure would be garbage that nobody recorded); it runs
// on a goroutine that ends, so that no stack keeps anything of it.
func Garbage(own func()) {
	if mode == missing {
		return
	}
	emptied = make(map[int]*junkSmall, 64)
	drained = make(chan *junkSmall, 16)
	truncated = make([]*junkSmall, 32)
	disguised = &disguise{}
	planter = own
	Settle()
	collect()
	growStack(0) // so that it does not grow into one that the planter leaves behind

	before := runtime.NumGoroutine() - int(staying.Load())
	go plantAll()
	for !ended.Load() || runtime.NumGoroutine()-int(staying.Load()) > before {
		runtime.Gosched()
	}
	planter = nil
}

// plantAll runs on a stack of an unusual size: one of the usual size would be handed with all its
// addresses to the next goroutine, whose frames the collector may have to scan conservatively.
func plantAll() {
	growStack(0)
	planting = true
	everyOther[junkSmall](40, true)
	everyOther[junkMiddle](8, true)
	everyOther[junkHeader](20, true)
	everyOther[junkLarge](4, true)
	everyOther[junkBytes](20, false)
	everyOther[junkManyBytes](6, false)
	everyOther[junkLargeBytes](4, false)
	plantTiny()
	plantInContainers()
	plantBehindNumbers()
	plantClosure()
	plantWeak()
	Stay(deadSlots)
	planter()
	planting = false
	ended.Store(true)
}

// everyOther allocates n objects, holds every other one and drops the rest, linked in a ring if
// they begin with a pointer.
func everyOther[T any](n int, link bool) {
	var first, last *T
	for i := 0; i < n; i++ {
		p := new(T)
		if i%2 == 0 {
			hold(unsafe.Pointer(p))
			continue
		}
		Plant(unsafe.Pointer(p))
		if first == nil {
			first = p
		}
		if link {
			*(**T)(unsafe.Pointer(p)) = last
		}
		last = p
	}
	if link {
		*(**T)(unsafe.Pointer(first)) = last
	}
}

func hold(p unsafe.Pointer) {
	Keep(p)
	held[nHeld] = p
	nHeld++
}

// plantTiny drops blocks of the tiny allocator in which both halves are ours, and holds others by
// a pointer to their second half only. What shares a block with values of others may live or not.
func plantTiny() {
	Sheds("goheap.test/programs/truth.plantTiny")
	var values [64]*uint64
	for i := range values {
		values[i] = new(uint64)
		sink = unsafe.Pointer(values[i])
	}
	sink = nil
	for i := 2; i < len(values)-3; i++ {
		first, second := uintptr(unsafe.Pointer(values[i])), uintptr(unsafe.Pointer(values[i+1]))
		if first%16 != 0 || second != first+8 {
			continue
		}
		if first/16%2 == 0 {
			Plant(unsafe.Pointer(values[i]))
		} else {
			hold(unsafe.Pointer(values[i+1]))
		}
	}
}

func plantInContainers() {
	for i := 0; i < 48; i++ {
		p := new(junkSmall)
		emptied[i] = p
		if i%3 == 0 {
			Keep(unsafe.Pointer(p))
		} else {
			Plant(unsafe.Pointer(p))
		}
	}
	for i := 0; i < 48; i++ {
		if i%3 != 0 {
			delete(emptied, i)
		}
	}

	for i := 0; i < cap(drained); i++ {
		p := new(junkSmall)
		Plant(unsafe.Pointer(p))
		drained <- p
	}
	for len(drained) > 0 {
		<-drained
	}
	for i := 0; i < 4; i++ {
		p := new(junkSmall)
		Keep(unsafe.Pointer(p))
		drained <- p
	}

	for i := range truncated {
		truncated[i] = new(junkSmall)
		if i < 8 {
			Keep(unsafe.Pointer(truncated[i]))
		} else {
			Plant(unsafe.Pointer(truncated[i]))
		}
	}
	clear(truncated[8:])
	truncated = truncated[:8]
}

func plantBehindNumbers() {
	p := new(junkSmall)
	Plant(unsafe.Pointer(p))
	disguised.address = uintptr(unsafe.Pointer(p))
	disguised.real = new(junkSmall)
	Keep(unsafe.Pointer(disguised.real))
	Keep(unsafe.Pointer(disguised))
}

func plantClosure() {
	byValue, byReference := new(junkSmall), [3]int{1}
	f := func() { byValue.n[0] += byReference[0]; byReference[1]++ }
	Plant(unsafe.Pointer(byValue))
	Plant(unsafe.Pointer(&byReference))
	Plant(Func(&f))
}

// deadSlots keeps running while variables of its frame are dead: one whose stack slot still holds
// the address, and one that lies in a local structure to which nothing points any more.
func deadSlots() {
	dead, live := new(junkSmall), new(junkSmall)
	Plant(unsafe.Pointer(dead))
	Keep(unsafe.Pointer(live))
	var local struct{ only *junkSmall }
	local.only = new(junkSmall)
	Plant(unsafe.Pointer(local.only))
	use(&dead.n)
	use(&local.only.n)
	touch(&local.only)
	Park()
	use(&live.n)
}

//go:noinline
func use(n *[3]int) { n[0]++ }

//go:noinline
func touch(p **junkSmall) { (*p).n[1]++ }
