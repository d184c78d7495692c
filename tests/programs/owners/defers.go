// SPDX-License-Identifier: Apache-2.0

package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

// Pending defers own what only they captured; their goroutine owns it as well, once.

// deferred is an item that a pending defer keeps, and thereby its goroutine.
func deferred(d, g truth.Holder, n int) *item {
	p := chain(d, n)
	for q := p; q != nil; q = q.next {
		g.Has(unsafe.Pointer(q))
		g.Has(unsafe.Pointer(q.text))
	}
	return p
}

func hasFunc(d, g truth.Holder, f func()) {
	d.Has(truth.Func(&f))
	g.Has(truth.Func(&f))
}

// deferInLoop makes a heap record for each defer.
func deferInLoop() {
	const g = "go main.deferInLoop"
	for i, d := range [...]truth.Holder{"defer main.deferInLoop.func1#1",
		"defer main.deferInLoop.func1#2", "defer main.deferInLoop.func1#3"} {
		p := deferred(d, g, i+1)
		f := func() { use(p) }
		hasFunc(d, g, f)
		defer f()
	}
	truth.Park()
}

// deferCall makes closures that the program does not see.
func deferCall() {
	const g = "go main.deferCall"
	truth.Holder(g).Made("main.deferCall")
	for i := 0; i < 1; i++ {
		defer use(deferred("defer main.deferCall.deferwrap1", g, 2))
	}
	truth.Holder("defer main.deferCall.deferwrap1").Made("main.deferCall")
	truth.Park()
}

// deferMany has more defers than can be open-coded: records and closures lie on the stack.
func deferMany() {
	const g = "go main.deferMany"
	p1, p2 := deferred("defer main.deferMany.func1", g, 1), deferred("defer main.deferMany.func2", g, 2)
	p3, p4 := deferred("defer main.deferMany.func3", g, 3), deferred("defer main.deferMany.func4", g, 4)
	p5, p6 := deferred("defer main.deferMany.func5", g, 5), deferred("defer main.deferMany.func6", g, 6)
	p7, p8 := deferred("defer main.deferMany.func7", g, 7), deferred("defer main.deferMany.func8", g, 8)
	p9 := deferred("defer main.deferMany.func9", g, 9)
	defer func() { use(p1) }()
	defer func() { use(p2) }()
	defer func() { use(p3) }()
	defer func() { use(p4) }()
	defer func() { use(p5) }()
	defer func() { use(p6) }()
	defer func() { use(p7) }()
	defer func() { use(p8) }()
	defer func() { use(p9) }()
	truth.Park()
}

// deferOpenCoded has no records: closures on the stack, found by the frame's own description.
func deferOpenCoded() {
	const g = "go main.deferOpenCoded"
	p, q := deferred("defer main.deferOpenCoded.func1", g, 3), deferred("defer main.deferOpenCoded.func2", g, 1)
	defer func() { use(p) }()
	defer func() { use(q) }()
	truth.Park()
}

// deferTogether has two defers that keep the same: it is their goroutine's.
func deferTogether() {
	const g = "go main.deferTogether"
	common := chain(g, 4)
	for _, d := range [...]truth.Holder{"defer main.deferTogether.func1#1",
		"defer main.deferTogether.func1#2"} {
		p := deferred(d, g, 1)
		f := func() { use(common); use(p) }
		hasFunc(d, g, f)
		defer f()
	}
	truth.Park()
}

// deferUsed captures what its frame still needs: the goroutine has it, the defer alone does not.
func deferUsed() {
	const g = "go main.deferUsed"
	p, q := chain(g, 5), deferred("defer main.deferUsed.func1", g, 2)
	defer func() { use(p); use(q) }()
	truth.Park()
	use(p)
}

func buildDefers() {
	for _, f := range [...]func(){deferInLoop, deferCall, deferMany, deferOpenCoded, deferTogether,
		deferUsed} {
		truth.Stay(f)
	}
}
