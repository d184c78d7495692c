// SPDX-License-Identifier: Apache-2.0

// Pending defers in every form and channels with queues. What is deferred, from which line, what
// its closure captured, and who waits on which channel is stated before the program dies.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"goheap.test/programs/abort"
	"goheap.test/programs/still"
	"goheap.test/programs/truth"
)

// Deferred is what is pending at one statement.
type Deferred struct {
	Function string // what the name begins with
	Frame    string
	Line     int
	Kind     string
	Count    int
	Chain    int     // of these, in one call
	Captured uintptr // bytes of variables and of objects directly behind them, of one
	Retains  uintptr // at least, of all
	Exactly  bool    // Retains is all that it retains
	Names    string  // of what was captured, with types; "": not stated
}

// Channel is one channel.
type Channel struct {
	Address            uintptr // all bits flipped
	Type               string
	Unread, Capacity   int
	ElemBytes          uintptr
	Senders, Receivers int
	Closed             bool
}

type item struct {
	next *item
	n    [5]int
}

const itemSlot = 48

var (
	mu       sync.Mutex
	deferred []Deferred
	goids    []int // of the goroutines that stated these
	channels []Channel
	parked   sync.WaitGroup
	never    = make(chan struct{})
	kept     []any
	sum      int
)

func state(d Deferred) {
	var text [64]byte
	var goid int
	fmt.Sscanf(string(text[:runtime.Stack(text[:], false)]), "goroutine %d", &goid)
	mu.Lock()
	deferred = append(deferred, d)
	goids = append(goids, goid)
	mu.Unlock()
}

// here is the line that calls it.
func here() int {
	_, _, line, _ := runtime.Caller(1)
	return line
}

func stay(f func()) {
	parked.Add(1)
	go f()
}

func park() {
	parked.Done()
	<-never
}

var sink *item

// newItem lies in the heap, whatever its user does with it.
//
//go:noinline
func newItem() *item {
	p := new(item)
	sink = p
	sink = nil
	return p
}

//go:noinline
func use(p *item) { sum += p.n[0] }

//go:noinline
func useBytes(b []byte) { sum += len(b) + int(b[0]) }

// loop makes a record in the heap for each defer.
func loop(n int) {
	for i := 0; i < n; i++ {
		p := newItem()
		defer func() { use(p) }()
	}
	state(Deferred{"main.loop.func1", "main.loop", here() - 2, "heap", n, n, 8 + itemSlot, uintptr(n) * itemSlot, false, "p *main.item"})
	park()
}

// loopBytes holds a block by a slice that is captured by value.
func loopBytes(n, size int) {
	for i := 0; i < n; i++ {
		block := make([]byte, size)
		defer func() { useBytes(block) }()
	}
	bytes := max(truth.Slot(uintptr(size), false), 16) // smaller ones share a block
	state(Deferred{"main.loopBytes.func1", "main.loopBytes", here() - 3, "heap", n, n, 24 + bytes, uintptr(n) * bytes, false, "block []uint8"})
	park()
}

// loopArguments is the compiler's own closure for the arguments of a call.
func loopArguments(n int) {
	for i := 0; i < n; i++ {
		p := newItem()
		defer use(p)
	}
	state(Deferred{"main.loopArguments.deferwrap1", "main.loopArguments", here() - 2, "heap", n, n, 8 + itemSlot,
		uintptr(n) * itemSlot, false, "p *main.item"})
	park()
}

// one is open-coded: a bit and a slot in its frame.
func one() {
	p := newItem()
	defer func() { use(p) }()
	state(Deferred{"main.one.func1", "main.one", here() - 1, "open-coded", 1, 1, 8 + itemSlot, itemSlot, false, "p *main.item"})
	park()
}

// byReference captures a variable of its frame: what that refers to is the goroutine's.
func byReference() {
	p := newItem()
	defer func() { use(p) }()
	p = newItem()
	state(Deferred{"main.byReference.func1", "main.byReference", here() - 2, "open-coded", 1, 1, 8, 0, false, "&p **main.item"})
	park()
}

func eight() {
	first := here() + 1
	defer func() { sum += 1 }()
	defer func() { sum += 2 }()
	defer func() { sum += 3 }()
	defer func() { sum += 4 }()
	defer func() { sum += 5 }()
	defer func() { sum += 6 }()
	defer func() { sum += 7 }()
	defer func() { sum += 8 }()
	for i := 0; i < 8; i++ {
		state(Deferred{fmt.Sprintf("main.eight.func%d", i+1), "main.eight", first + i, "open-coded", 1, 1, 0, 0, false, ""})
	}
	park()
}

// nine is one too many: records on the stack.
func nine() {
	first := here() + 1
	defer func() { sum += 1 }()
	defer func() { sum += 2 }()
	defer func() { sum += 3 }()
	defer func() { sum += 4 }()
	defer func() { sum += 5 }()
	defer func() { sum += 6 }()
	defer func() { sum += 7 }()
	defer func() { sum += 8 }()
	defer func() { sum += 9 }()
	for i := 0; i < 9; i++ {
		state(Deferred{fmt.Sprintf("main.nine.func%d", i+1), "main.nine", first + i, "stack", 1, 1, 0, 0, false, ""})
	}
	park()
}

// conditional leaves out some of its defers.
func conditional(n int) {
	if n > 0 {
		defer func() { sum += n }()
	}
	if n < 0 {
		defer func() { sum -= n }()
		state(Deferred{"main.conditional.func2", "main.conditional", here() - 1, "open-coded", 1, 1, 8, 0, false, ""})
	}
	park()
}

func generic[T any](value T) {
	p := &value
	for i := 0; i < 3; i++ {
		defer func() { kept = append(kept, p) }()
	}
	state(Deferred{"main.generic[...]", "main.generic[...]", here() - 2, "heap", 3, 3, 0, 0, false, ""})
	park()
}

// panicking is parked inside a deferred call while a panic is on its way: what ran is gone, what is
// further out is pending.
func panicking() {
	p := newItem()
	defer func() { use(p) }()
	state(Deferred{"main.panicking.func1", "main.panicking", here() - 1, "open-coded", 1, 1, 8 + itemSlot, itemSlot, false, "p *main.item"})
	func() {
		for i := 0; i < 4; i++ {
			defer func() { sum++ }()
		}
		state(Deferred{"main.panicking.func2.1", "main.panicking.func2", here() - 2, "heap", 4, 4, 0, 0, false, ""})
		defer func() {
			if recover() != nil {
				park()
			}
		}()
		panic("on purpose")
	}()
}

func goexiting() {
	defer func() { sum++ }()
	state(Deferred{"main.goexiting.func1", "main.goexiting", here() - 1, "open-coded", 1, 1, 0, 0, false, ""})
	defer park()
	runtime.Goexit()
}

// done has run all of its defers.
func done() {
	func() {
		for i := 0; i < 5; i++ {
			defer func() { sum++ }()
		}
		defer func() { sum++ }()
	}()
	park()
}

func address[T any](c chan T) uintptr { return ^*(*uintptr)(unsafe.Pointer(&c)) }

// fill makes a channel with some elements in it, and goroutines in its queues.
func fill[T any](name string, capacity, unread, senders, receivers int, closed bool) {
	c := make(chan T, capacity)
	kept = append(kept, c)
	var zero T
	for i := 0; i < unread; i++ {
		c <- zero
	}
	for i := 0; i < senders; i++ {
		stay(func() { parked.Done(); c <- zero })
	}
	for i := 0; i < receivers; i++ {
		stay(func() {
			parked.Done()
			select {
			case <-c:
			case <-never:
			}
		})
	}
	if closed {
		close(c)
	}
	channels = append(channels, Channel{address(c), name, unread, capacity, unsafe.Sizeof(zero), senders, receivers,
		closed})
}

func main() {
	for _, n := range []int{1, 10, 100, 10000} {
		n := n
		stay(func() { loop(n) })
	}
	for _, size := range []int{8, 4096, 1 << 20, 64 << 20} {
		size := size
		stay(func() { loopBytes(2, size) })
	}
	stay(func() { loopArguments(20) })
	stay(one)
	stay(byReference)
	stay(eight)
	stay(nine)
	stay(func() { conditional(-1) })
	stay(func() { generic(item{}) })
	stay(func() { generic("text") })
	stay(panicking)
	stay(goexiting)
	stay(done)
	forms()
	ranging()
	fill[int]("chan int", 10, 7, 0, 0, false)
	fill[int]("chan int", 3, 3, 5, 0, false)
	fill[*item]("chan *main.item", 0, 0, 0, 6, false)
	fill[*item]("chan *main.item", 100, 100, 1, 0, false)
	fill[[3]string]("chan [3]string", 4, 2, 0, 0, true)
	fill[struct{}]("chan struct {}", 1, 1, 2, 0, false)
	parked.Wait()
	still.Wait()
	text, err := json.Marshal(map[string]any{"deferred": deferred, "channels": channels, "goids": goids})
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, string(text))
	abort.InSyscall()
}
