// SPDX-License-Identifier: Apache-2.0

package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

// The captures differ in shape: what is alike in size and pointers stands in tests/programs/captured.
type (
	byValue struct {
		n    [3]int
		next *byValue
	}
	byReference struct {
		n    [4]int
		next *byReference
	}
	byNested   struct{ n [5]int }
	inFuncMap  struct{ n [6]int }
	inFuncChan struct{ n [7]int }
	receiver   struct{ n [8]int }
	// larger than what an interface or a register holds
	valueReceiver struct {
		p *inReceiver
		n [3]int
	}
	inReceiver        struct{ n [9]int }
	interfaceReceiver struct{ n [10]int }
	ofExpression      struct{ n [11]int }
	inCapturedSlice   struct{ n [12]int }
	inCapturedMap     struct{ n [13]int }
	sharedCapture     struct{ n [14]int }
	wideCapture       struct{ n [15]int }
	inFuncField       struct{ n [17]int }
	capturedAny       struct{ n [18]int }
	capturedIface     struct{ n [19]int }
	capturedFunc      struct{ n [20]int }
	capturedChan      struct{ n [21]int }
	server            struct {
		name   string
		handle func(int) int
	}
)

func (r *receiver) Sum() int          { return r.n[0] }
func (v valueReceiver) Sum() int      { return v.p.n[0] + v.n[1] }
func (r *interfaceReceiver) Sum() int { return r.n[0] }
func (e *ofExpression) Sum() int      { return e.n[0] }
func (c *capturedIface) Sum() int     { return c.n[0] }

var (
	counters   []func() int
	references []func(*byReference)
	makers     []func() func() int
	funcMap    map[string]func()
	funcChan   chan func()
	methods    []func() int
	expression func(*ofExpression) int
	applied    func() int
	readers    []func()
	servers    []*server
	latest     func() int
)

//go:noinline
func counter(p *byValue, n int) func() int {
	return func() int { return p.n[0] + n }
}

//go:noinline
func setter(text string) func(*byReference) {
	var held byReference
	var last *byReference
	return func(p *byReference) {
		held.next, last = p, held.next
		held.n[0] += len(text) + last.n[1]
	}
}

//go:noinline
func maker(n uint16) func() func() int {
	p, limit := &byNested{}, 3.5
	return func() func() int {
		limit++
		return func() int { return p.n[0] + int(limit) + int(n) }
	}
}

//go:noinline
func wide(a, b *wideCapture) func() int {
	x, y, z, t, u := [16]*wideCapture{a}, [16]*wideCapture{}, [16]*wideCapture{}, [16]*wideCapture{}, [16]*wideCapture{9: b}
	return func() int { return x[0].n[0] + y[1].n[0] + z[2].n[0] + t[3].n[0] + u[9].n[0] }
}

func buildClosures() {
	for i := 0; i < 5; i++ {
		counters = append(counters, counter(&byValue{}, i))
		references = append(references, setter("text"))
		makers = append(makers, maker(uint16(i)))
		counters = append(counters, makers[i]())
	}
	made[byValue](5).InClosure()
	made[byReference](5).InClosure()
	made[byNested](5).InClosure()
	truth.Objects("func main.counter.func1", 5, 24, true).InClosure()
	truth.Objects("func main.setter.func1", 5, 40, true).InClosure()
	truth.Objects("func main.maker.func1", 5, 32, true).InClosure()
	truth.Objects("func main.maker.func1.1", 5, 32, true).InClosure()

	funcMap, funcChan = make(map[string]func()), make(chan func(), 4)
	for _, name := range []string{"one", "two", "three"} {
		p := &inFuncMap{}
		funcMap[name] = func() { p.n[0] += len(name) }
		q, x, y := &inFuncChan{}, 1.5, byte(1)
		funcChan <- func() { q.n[0] += int(x) + int(y) }
	}
	made[inFuncMap](3).InClosure()
	made[inFuncChan](3).InClosure()

	for i := 0; i < 4; i++ {
		var s summer = &interfaceReceiver{}
		methods = append(methods, (&receiver{}).Sum, valueReceiver{p: &inReceiver{}}.Sum, s.Sum)
	}
	made[receiver](4)
	made[inReceiver](4)
	made[interfaceReceiver](4)
	expression = (*ofExpression).Sum
	e, times := &ofExpression{}, [3]int{1}
	applied = func() int { return expression(e) * times[1] }
	made[ofExpression](1).InClosure()

	for i := 0; i < 3; i++ {
		s, m, k := make([]*inCapturedSlice, 2), make(map[int]*inCapturedMap), i*2
		s[1], m[1] = &inCapturedSlice{}, &inCapturedMap{}
		readers = append(readers, func() { s[1].n[0] += len(m) + k })
	}
	made[inCapturedSlice](3).InClosure()
	made[inCapturedMap](3).InClosure()
	shared, total := &sharedCapture{}, 0
	readers = append(readers,
		func() { total += shared.n[0]; shared = nil },
		func() { total -= shared.n[1]; shared.n[2]++ })
	made[sharedCapture](1).InClosure()
	counters = append(counters, wide(&wideCapture{}, &wideCapture{}))
	made[wideCapture](2)
	truth.Objects("func main.wide.func1", 1, 8+5*16*8, true)

	for i := 0; i < 3; i++ {
		p, flags := &inFuncField{}, [2]bool{true}
		servers = append(servers, &server{"server", func(n int) int {
			if flags[n&1] {
				return p.n[0]
			}
			return p.n[1]
		}})
	}
	made[server](3)
	made[inFuncField](3).InClosure()
	var a any = &capturedAny{}
	var s summer = &capturedIface{}
	c := make(chan *capturedChan, 1)
	c <- &capturedChan{}
	p := &capturedFunc{}
	f := func() int { return p.n[0] }
	methods = append(methods, func() int {
		c <- nil
		return a.(*capturedAny).n[0] + s.Sum() + f()
	})
	made[capturedAny](1).InClosure()
	made[capturedIface](1).InClosure()
	made[capturedChan](1).InClosure()
	made[capturedFunc](1).InClosure()
}

func plantClosures() {
	garbageOf[byValue]()
	garbageOf[byReference]()
	garbageOf[byNested]()
	garbageOf[receiver]()
	garbageOf[wideCapture]()
	garbageOf[server]()
	for i := 0; i < 4; i++ {
		p := &byValue{}
		n := i
		f := func() { p.n[0] += n }
		truth.Plant(unsafe.Pointer(p))
		truth.Plant(truth.Func(&f))
	}
	r := &receiver{}
	latest = r.Sum
	truth.Plant(unsafe.Pointer(r))
	truth.Plant(*(*unsafe.Pointer)(unsafe.Pointer(&latest)))
	latest = nil
}
