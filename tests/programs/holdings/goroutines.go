// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"unsafe"

	"goheap.test/programs/truth"
)

type (
	local      struct{ n [3]int }
	localValue struct {
		first, second *ofLocalValue
		n             int
	}
	ofLocalValue  struct{ n [4]int }
	stackObject   struct{ p [3]*ofStackObject }
	ofStackObject struct{ n [5]int }
	throughLocal  struct{ n [6]int }
	argument      struct{ n [7]int }
	startedWith   struct{ n [8]int }
	deferredLoop  struct{ n [9]int }
	deferredOpen  struct{ n [10]int }
	deferredBy    struct{ n [11]int }
	panicPointer  struct{ n [12]int }
	panicValue    struct{ a, b, c, d, e int }
	panicCause    struct{ n [13]int }
	sent          struct{ n [14]int }
	sentValue     struct {
		p *ofSentValue
		n [4]int
	}
	ofSentValue    struct{ n [15]int }
	selected       struct{ n [16]int }
	selectedChan   struct{ n [17]int }
	localSlice     struct{ n [18]int }
	localMap       struct{ n [19]int }
	localInterface struct{ n [20]int }
	localFunc      struct{ n [21]int }
	localArray     struct{ n [22]int }
	namedResult    struct{ n [23]int }
	escaped        struct {
		next *escaped
		n    [5]int
	}
	inLoop       struct{ n [24]int }
	methodCaller struct{ n [25]int }
	genericLocal struct{ n [26]int }
	alone        struct{ n [27]int }
)

var (
	fullPointers = make(chan *sent)
	fullValues   = make(chan sentValue)
	noSelected   = make(chan *selected)
	noReceived   = make(chan *selectedChan)
	total        int
	inSink       unsafe.Pointer
)

// inHeap makes an object that would stay on the stack otherwise.
func inHeap[T any]() *T {
	p := new(T)
	inSink = unsafe.Pointer(p)
	inSink = nil
	return p
}

//go:noinline
func newPointers[T any](n int) []*T {
	s := make([]*T, n)
	for i := range s {
		s[i] = inHeap[T]()
	}
	return s
}

//go:noinline
func newLocalMap() map[string]*localMap { return map[string]*localMap{"one": inHeap[localMap]()} }

//go:noinline
func newLocalInterface() any {
	if total < 0 {
		return total
	}
	return inHeap[localInterface]()
}

func inLocals() {
	p := inHeap[local]()
	v := localValue{inHeap[ofLocalValue](), inHeap[ofLocalValue](), 1}
	truth.Park()
	runtime.KeepAlive(p)
	total += v.first.n[1] + v.second.n[1] + v.n
}

// inStackObject holds objects by a variable that only a pointer to it keeps alive.
func inStackObject() {
	var object stackObject
	p := fill(&object)
	truth.Park()
	runtime.KeepAlive(p)
}

//go:noinline
func fill(object *stackObject) *ofStackObject {
	for i := range object.p {
		object.p[i] = inHeap[ofStackObject]()
	}
	return object.p[1]
}

//go:noinline
func inCalled(object *stackObject) {
	fill(object)
	truth.Park()
	total += object.p[0].n[1] + object.p[2].n[2]
}

func callWithObject() {
	var object stackObject
	inCalled(&object)
}

func inPointerToPointer() {
	p := inHeap[throughLocal]()
	replace(&p)
	truth.Park()
	runtime.KeepAlive(p)
}

//go:noinline
func replace(p **throughLocal) { *p = inHeap[throughLocal]() }

//go:noinline
func withArguments(a *argument, n int, b []*argument) {
	truth.Park()
	runtime.KeepAlive(a)
	useArguments(b)
	total += n
}

//go:noinline
func useArguments(b []*argument) { total += b[0].n[0] }

func callWithArguments() {
	withArguments(inHeap[argument](), 1, newPointers[argument](2))
}

func started(p *startedWith, n float64) {
	truth.Park()
	p.n[0] += int(n)
}

func inDeferLoop() {
	for i := 0; i < 3; i++ {
		defer useLoop(inHeap[deferredLoop](), i)
		p := inHeap[deferredLoop]()
		defer func() { runtime.KeepAlive(p) }()
	}
	truth.Park()
}

//go:noinline
func useLoop(p *deferredLoop, i int) { p.n[i]++ }

func inOpenDefer() {
	p := inHeap[deferredOpen]()
	defer func() { useDeferred(p) }()
	q := inHeap[deferredBy]()
	defer func() { runtime.KeepAlive(q) }()
	truth.Park()
}

//go:noinline
func useDeferred(p *deferredOpen) { p.n[0]++ }

func inPanic() {
	defer truth.Park()
	panic(inHeap[panicPointer]())
}

func inSecondPanic() {
	defer truth.Park()
	defer func() { panic(panicValue{a: total, b: 1}) }()
	panic(inHeap[panicCause]())
}

func sending() {
	truth.Parked()
	fullPointers <- inHeap[sent]()
}

func sendingValue() {
	v := sentValue{p: inHeap[ofSentValue]()}
	truth.Parked()
	fullValues <- v
}

func selecting() {
	truth.Parked()
	received := new(selectedChan)
	select {
	case noSelected <- inHeap[selected]():
	case received = <-noReceived:
	}
	runtime.KeepAlive(received)
}

// selectingAlone waits for channels that nothing but its wait knows.
func selectingAlone() {
	truth.Parked()
	first, second := make(chan *alone), make(chan *alone)
	select {
	case <-first:
	case <-second:
	}
}

func inManyLocals() {
	s, m, i := newPointers[localSlice](2), newLocalMap(), newLocalInterface()
	f := capture(inHeap[localFunc]())
	var a [4]*localArray
	for j := range a {
		a[j] = inHeap[localArray]()
	}
	sink(s, m, i, f)
	truth.Park()
	sink(s, m, i, f)
	runtime.KeepAlive(a)
}

//go:noinline
func capture(p *localFunc) func() { return func() { p.n[0]++ } }

//go:noinline
func sink(s []*localSlice, m map[string]*localMap, i any, f func()) {
	total += len(s) + len(m)
	if i == nil {
		f()
	}
}

//go:noinline
func result() (p *namedResult) {
	defer func() { p.n[0]++ }()
	p = inHeap[namedResult]()
	truth.Park()
	return p
}

func inResult() { runtime.KeepAlive(result()) }

func inEscaped() {
	var first escaped
	last := &first
	for i := 0; i < 4; i++ {
		last.next = &escaped{}
		last = last.next
	}
	truth.Park()
	total += last.n[0] + first.next.n[0]
}

func inLoopVariable() {
	all := newPointers[inLoop](3)
	for range all {
		truth.Park()
	}
	runtime.KeepAlive(all)
}

func (m *methodCaller) run() {
	truth.Park()
	runtime.KeepAlive(m)
}

func inMethod() { inHeap[methodCaller]().run() }

//go:noinline
func generically[T any](v *T, use func(*T)) {
	truth.Park()
	use(v)
}

func inGeneric() {
	p := inHeap[genericLocal]()
	generically(p, func(p *genericLocal) { runtime.KeepAlive(p) })
	runtime.KeepAlive(p)
}

func buildGoroutines() {
	for i := 0; i < 2; i++ {
		truth.Stay(inLocals)
		truth.Stay(callWithObject)
		truth.Stay(inPointerToPointer)
		truth.Stay(callWithArguments)
		truth.Stay(inDeferLoop)
		truth.Stay(inOpenDefer)
		truth.Stay(inPanic)
		truth.Stay(inSecondPanic)
		truth.Stay(sending)
		truth.Stay(sendingValue)
		truth.Stay(selecting)
		truth.Stay(selectingAlone)
		truth.Stay(inManyLocals)
		truth.Stay(inResult)
		truth.Stay(inEscaped)
		truth.Stay(inLoopVariable)
		truth.Stay(inMethod)
		truth.Stay(inGeneric)
	}
	truth.Stay(inStackObject)
	truth.Stay(startWith)
	truth.Settle()
	made[local](2)
	made[ofLocalValue](4)
	made[ofStackObject](6 + 1) // inStackObject keeps one of three
	made[throughLocal](2)
	made[argument](6)
	made[startedWith](1).InClosure()
	made[deferredLoop](6).InClosure()
	made[deferredOpen](2).InClosure()
	made[deferredBy](2).InClosure()
	made[panicPointer](2)
	made[panicValue](2)
	made[panicCause](2)
	made[sent](2)
	made[ofSentValue](2)
	made[selected](2)
	truth.Objects("chan *main.alone", 4, truth.ChanBytes, true)
	made[localSlice](4)
	made[localMap](2)
	made[localInterface](2)
	made[localFunc](2).InClosure()
	made[localArray](8)
	made[namedResult](2)
	made[escaped](8)
	made[inLoop](6)
	made[methodCaller](2)
	made[genericLocal](2)
}

// startWith starts a goroutine by a closure that holds the arguments until it runs.
func startWith() {
	go started(inHeap[startedWith](), 2)
	truth.Park()
}

func plantGoroutines() {
	garbageOf[local]()
	garbageOf[ofStackObject]()
	garbageOf[argument]()
	garbageOf[deferredLoop]()
	garbageOf[panicPointer]()
	garbageOf[sent]()
	garbageOf[selected]()
	garbageOf[localSlice]()
	garbageOf[genericLocal]()
}
