// SPDX-License-Identifier: Apache-2.0

// Paths that are long, wide and go in circles: longpaths OBJECTS states the expressions to what lies
// at their ends.
package main

import (
	"os"
	"strconv"
	"unsafe"

	"goheap.test/programs/truth"
)

type (
	end  struct{ n [5]int }
	link struct {
		self *link // a field of the type's own kind, and it leads to itself
		next *link
		end  *end
	}
	even struct {
		odd *odd
		end *end
	}
	odd  struct{ even *even }
	wide struct {
		n    int
		many [1000]*end
	}
)

var (
	chain     *link
	alternate *even
	circle    *link
	all       []*end
	wides     *wide
)

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	last := &link{}
	chain = last
	for i := 1; i < n; i++ {
		last.next = &link{}
		last.self = last
		last = last.next
	}
	last.end = &end{}
	truth.Path("main.chain(.next ×N-1).end", unsafe.Pointer(last.end))

	alternate = &even{}
	at := alternate
	for i := 0; i < n/2; i++ {
		at.odd = &odd{&even{}}
		at = at.odd.even
	}
	at.end = &end{}
	truth.Path("main.alternate…", unsafe.Pointer(at.end))

	circle = &link{}
	at2 := circle
	for i := 0; i < 99; i++ {
		at2.next = &link{end: &end{}}
		at2 = at2.next
	}
	at2.next = circle
	truth.Path("main.circle(.next ×99)", unsafe.Pointer(at2))

	all = make([]*end, n)
	for i := range all {
		all[i] = &end{}
	}
	truth.Path("main.all[N-2]", unsafe.Pointer(all[n-2]))
	wides = &wide{}
	for i := range wides.many {
		wides.many[i] = &end{}
	}
	truth.Path("main.wides.many[777]", unsafe.Pointer(wides.many[777]))
	truth.Die("longpaths")
}
