// SPDX-License-Identifier: Apache-2.0

package main

type (
	summer interface{ Sum() int }
	plus   struct{ p *leaf }
	boxed  struct {
		n int
		p *leaf
	}
)

//go:noinline
func (p *plus) Sum() int { return 1 }

func (b boxed) Sum() int { return b.n }

var (
	anything any
	box      any
	summers  []summer
	handler  func() int
	setter   func(*leaf) *leaf
	method   func() int
	handlers map[string]func() int
)

//go:noinline
func makeHandler(p *plus, n int) func() int { return func() int { return n + p.Sum() } }

//go:noinline
func makeSetter() func(*leaf) *leaf {
	var held *leaf
	return func(p *leaf) *leaf {
		before := held
		held = p
		return before
	}
}

func buildInterfaces() {
	anything = at("main.anything", &plus{})
	anything.(*plus).p = at("main.anything.(*main.plus).p", inHeap[leaf]())
	b := boxed{p: inHeap[leaf]()}
	box = b
	at("main.box.(main.boxed).p", b.p)
	summers = make([]summer, 3)
	summers[1] = at("main.summers[1]", &plus{p: inHeap[leaf]()})
	at("main.summers[1].(*main.plus).p", summers[1].(*plus).p)

	p := &plus{p: inHeap[leaf]()}
	handler = makeHandler(p, len(summers))
	at("main.handler.func1·p", p)
	at("main.handler.func1·p.p", p.p)
	setter = makeSetter()
	q := inHeap[leaf]()
	setter(q)
	at("main.setter.func1·held", q)
	m := &plus{p: inHeap[leaf]()}
	method = m.Sum
	at("main.method.Sum·receiver", m)
	at("main.method.Sum·receiver.p", m.p)
	h := &plus{}
	handlers = map[string]func() int{"/": makeHandler(h, 2)}
	at(`main.handlers["/"].func1·p`, h)
}
