// SPDX-License-Identifier: Apache-2.0

// Values of every kind, and what reading each of them must say: walk.go finds that out with package
// reflect, and what reflect cannot see is written down here.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

type small struct {
	id   int
	name string
}

type scalars struct {
	yes, no  bool
	i        int
	i8       int8
	i16      int16
	i32      int32
	i64      int64
	u        uint
	u8       uint8
	u16      uint16
	u32      uint32
	u64      uint64
	p        uintptr
	code     uintptr
	f32      [6]float32
	f64      [12]float64
	c64      complex64
	c128     complex128
	_        int
	nothing  struct{}
	noArray  [0]int
	id       [16]byte
	hash     [40]byte
	weekday  time.Weekday
	duration [9]time.Duration
}

type texts struct {
	empty, plain, controls, quotes, invalid, wide, hidden, long string
	mostly                                                      [3]string
}

type base struct{ id int }

type embedded struct {
	base
	*small
	fmt.Stringer
	inner struct{ a, b [2]int8 }
}

type pair[K comparable, V any] struct {
	key   K
	value V
	next  *pair[K, V]
}

type slices struct {
	none, empty, three []int
	rest               []small
	pointers           []*small
	bytes, binary      []byte
	ofSlices           [][]string
	huge               []int32
	cut                []int
}

type bigKey struct {
	name string
	pad  [20]int
}

type point struct{ x, y int16 }

type key struct {
	p point
	s string
}

type bigElem struct {
	first *small
	pad   [20]int
}

type maps struct {
	none, empty map[string]int
	one         map[string]*small
	ints        map[int]string
	int8s       map[int8]bool
	uint64s     map[uint64]uint64
	floats      map[float64]int
	complexes   map[complex128]int
	bools       map[bool]string
	structs     map[key]point
	arrays      map[[2]string]int
	interfaces  map[any]any
	pointers    map[*small]string
	chans       map[chan int]int
	set         map[string]struct{}
	bigKeys     map[bigKey]int
	bigElems    map[string]bigElem
	ofMaps      map[string]map[int]int
	many        map[int]int
	grown       map[string]int
	churned     map[int]point
	deleted     map[int]int
}

type chans struct {
	none     chan int
	sync     chan string
	buffered chan small
	wrapped  chan int
	full     chan *small
	closed   chan int
	blocked  chan int
	only     <-chan int
}

type shape interface{ area() float64 }

type square struct{ side float64 }

func (s square) area() float64 { return s.side * s.side }

func (s *square) grow() { s.side++ }

type pointerShape struct{ p *small }

func (pointerShape) area() float64 { return 0 }

type number int

func (n number) area() float64 { return float64(n) }

type interfaces struct {
	none               any
	noShape            shape
	number             any
	text               any
	structure          any
	pointer            any
	direct             any
	small              any
	squareShape        shape
	numberShape        shape
	directShape        shape
	failure            error
	slice, array, dict any
	function           any
	nested             [2]any
	empty              any
}

type recursive struct {
	self  *recursive
	left  *recursive
	all   []*recursive
	named map[string]*recursive
	any   any
}

type times struct {
	zero, now, utc, zoned, old time.Time
	timer                      *time.Time
}

type numbers struct {
	zero, plain, widest, wider, parts big.Int
	pointer                           *big.Int
	ratio                             big.Rat
	v4, v6, short, mask               net.IP
	addresses                         any
}

type locks struct {
	free, held    sync.Mutex
	reading       sync.RWMutex
	writing, idle sync.RWMutex
	group         sync.WaitGroup
	done, not     sync.Once
	i32           atomic.Int32
	i64           atomic.Int64
	u32           atomic.Uint32
	u64           atomic.Uint64
	address       atomic.Uintptr
	on, off       atomic.Bool
	pointer       atomic.Pointer[small]
	nothing       atomic.Pointer[small]
	value         atomic.Value
	noValue       atomic.Value
}

type syncMaps struct {
	empty, some, churned sync.Map
}

type pointers struct {
	none        *int
	number      *int
	text        *string
	toPointer   **small
	toSlice     *[]int
	toArray     *[3]int8
	unsafe      unsafe.Pointer
	nilUnsafe   unsafe.Pointer
	inside      *string
	toInterface *any
	toMap       *map[string]int
	toEmpty     *struct{}
}

type funcs struct {
	none     func()
	plain    func(int) int
	closure  func() int
	method   func()
	literal  func() string
	bound    func() float64
	pointers []func()
}

// An array of more than 512 bytes says what it is without DWARF, and its interfaces do.
var roots = make([]any, 64)

// The values on stacks and in static data; typed by DWARF only.
var (
	global   = scalars{yes: true, i: 41, f32: [6]float32{1}, id: [16]byte{1}}
	globals  = [3]small{{1, "first"}, {2, "second"}, {3, "third"}}
	onStack  [2]uintptr
	blocking = make(chan int)
)

//go:noinline
func plain(n int) int { return n + len(roots) }

func heap[T any](v T) *T {
	p := new(T)
	*p = v
	return p
}

func text(s string) string { return strings.Clone(s) }

func makeScalars() *scalars {
	return heap(scalars{
		yes: true, i: math.MinInt64, i8: -128, i16: -32768, i32: -1 << 31, i64: math.MaxInt64,
		u: math.MaxUint64, u8: 255, u16: 65535, u32: 1<<32 - 1, u64: 1 << 63, p: 0x1234,
		code: codeOf(plain),
		f32:  [6]float32{0, 0.1, 1e30, -1.5, float32(math.NaN()), float32(math.Inf(1))},
		f64: [12]float64{math.Copysign(0, -1), 0.1, 1e21, 1e20, 123456.789, -1e-5, 1e-4, math.Inf(-1), math.Pi,
			math.SmallestNonzeroFloat64, math.MaxFloat64, 1234567},
		c64: complex(1, -2), c128: complex(-0.5, math.Inf(1)),
		id: [16]byte{0, 1, 2, 0xff}, hash: [40]byte{39: 7}, weekday: time.Tuesday,
		duration: [9]time.Duration{0, 1, 1500, 1500 * time.Microsecond, time.Second,
			90 * time.Second, 3*time.Hour + 5*time.Millisecond, -time.Minute, math.MinInt64},
	})
}

func makeTexts() *texts {
	return heap(texts{
		plain: text("plain"), controls: text("a\x00b\tc\nd\x1b[31m\x7f\r"),
		quotes: text(`"quoted" \back`), invalid: text("a\xff\xc0\x80\xe2\x82b\xed\xa0\x80"),
		wide: text("größer 世界 🙂"), hidden: text("a\u202eb\u200bc\u2028\ufeff\U000e0001"),
		long:   strings.Repeat("é", 200),
		mostly: [3]string{text("x"), strings.Repeat("y", 120), strings.Repeat("z", 121)},
	})
}

func makeSlices() *slices {
	huge := make([]int32, 5000)
	for i := range huge {
		huge[i] = int32(i) * 3
	}
	three := append(make([]int, 0, 8), 1, 2, 3)
	return heap(slices{
		empty: make([]int, 0), three: three, cut: three[1:2:4],
		rest:     []small{{1, "a"}, {2, "b"}},
		pointers: []*small{{3, "c"}, nil, {4, "d"}},
		bytes:    []byte("some text"), binary: []byte{0, 1, 2, 0xff},
		ofSlices: [][]string{nil, {}, {"x", "y"}}, huge: huge,
	})
}

func makeMaps() *maps {
	m := maps{
		empty: map[string]int{}, one: map[string]*small{"u42": {42, "answer"}},
		ints:  map[int]string{1: "one", -2: "minus two", 1 << 40: "many"},
		int8s: map[int8]bool{-1: true, 7: false}, uint64s: map[uint64]uint64{1 << 63: 1},
		floats:    map[float64]int{0.5: 1, -1e30: 2},
		complexes: map[complex128]int{complex(1, 2): 3}, bools: map[bool]string{true: "t", false: "f"},
		structs:    map[key]point{{point{1, 2}, "k"}: {3, 4}},
		arrays:     map[[2]string]int{{"a", "b"}: 5},
		interfaces: map[any]any{1: "int", "1": 1, point{5, 6}: nil, 2.5: []int{1}},
		pointers:   map[*small]string{{9, "key"}: "by pointer"},
		chans:      map[chan int]int{make(chan int): 1}, set: map[string]struct{}{"member": {}},
		bigKeys:  map[bigKey]int{{name: "big"}: 6},
		bigElems: map[string]bigElem{"e": {first: &small{7, "seven"}}},
		ofMaps:   map[string]map[int]int{"inner": {1: 2}, "none": nil},
		many:     map[int]int{}, grown: map[string]int{}, churned: map[int]point{},
		deleted: map[int]int{},
	}
	for i := 0; i < 500; i++ {
		m.many[i*7] = i
	}
	for i := 0; i < 53; i++ { // the old kind is in the midst of growing
		m.grown[fmt.Sprint("entry ", i)] = i
	}
	for i := 0; i < 3000; i++ {
		m.churned[i] = point{int16(i), int16(-i)}
		if i >= 100 {
			delete(m.churned, i-100)
		}
		m.deleted[i] = i
	}
	for i := 0; i < 3000; i++ {
		delete(m.deleted, i)
	}
	return heap(m)
}

func makeChans() *chans {
	c := chans{
		sync: make(chan string), buffered: make(chan small, 4), wrapped: make(chan int, 3),
		full: make(chan *small, 2), closed: make(chan int, 5), blocked: make(chan int),
		only: make(chan int, 1),
	}
	one, two := &small{1, "one"}, &small{2, "two"}
	c.buffered <- *one
	c.buffered <- *two
	for i := 0; i < 5; i++ {
		c.wrapped <- i
		if i < 2 {
			<-c.wrapped
		}
	}
	c.full <- one
	c.full <- two
	c.closed <- 7
	close(c.closed)
	go func() { c.blocked <- 1 }()
	go func() { c.blocked <- 2 }()
	go func() { <-c.sync }()
	noteChan(c.sync, ", 1 receiving")
	noteChan(c.buffered, "", *one, *two)
	noteChan(c.wrapped, "", 2, 3, 4)
	noteChan(c.full, "", one, two)
	noteChan(c.closed, ", closed", 7)
	noteChan(c.blocked, ", 2 sending")
	noteChan(c.only, "")
	return heap(c)
}

func makeInterfaces() *interfaces {
	s := square{2}
	i := interfaces{
		number: 42, text: text("text"), structure: small{1, "held"}, pointer: &small{2, "behind"},
		direct: pointerShape{&small{3, "direct"}}, small: uint8(7), squareShape: &s,
		numberShape: number(9), directShape: pointerShape{}, failure: errors.New("it failed"),
		slice: []int{1, 2}, array: [2]bool{true}, dict: map[string]int{"k": 1}, function: plain,
		empty: struct{}{},
	}
	i.nested = [2]any{any(number(3)), &i.number}
	return heap(i)
}

func makeRecursive() *recursive {
	r := &recursive{left: &recursive{left: &recursive{}}}
	r.self = r
	r.all = []*recursive{r, r.left, nil}
	r.named = map[string]*recursive{"me": r}
	r.any = r
	return r
}

func makeTimes() *times {
	now := time.Now()
	return heap(times{
		now: now, utc: now.UTC(), zoned: time.Unix(1700000000, 5).In(time.FixedZone("MEZ", 3600)),
		old: time.Date(1600, 2, 29, 23, 59, 59, 999999999, time.UTC), timer: &now,
	})
}

func makeNumbers() *numbers {
	one := big.NewInt(1)
	n := numbers{plain: *big.NewInt(-77), pointer: new(big.Int).Lsh(one, 64), ratio: *big.NewRat(-3, 7),
		v4: net.IPv4(192, 0, 2, 1), v6: net.ParseIP("2001:db8::1"), short: net.IP{10, 0, 0, 1},
		mask: net.IP("abc"), addresses: addresses()}
	n.widest.Sub(n.widest.Lsh(one, 1024), one)
	n.wider.Neg(n.wider.Lsh(one, 1024))
	n.parts.Exp(big.NewInt(10), big.NewInt(36), nil)
	return heap(n)
}

func makeLocks() *locks {
	l := new(locks)
	l.held.Lock()
	l.reading.RLock()
	l.reading.RLock()
	l.writing.Lock()
	l.group.Add(3)
	l.done.Do(func() {})
	l.i32.Store(-5)
	l.i64.Store(1 << 40)
	l.u32.Store(6)
	l.u64.Store(7)
	l.address.Store(0x99)
	l.on.Store(true)
	l.pointer.Store(&small{8, "atomic"})
	l.value.Store(small{9, "loaded"})
	note(unsafe.Pointer(&l.free), "unlocked")
	note(unsafe.Pointer(&l.held), "locked")
	note(unsafe.Pointer(&l.reading), "2 reading")
	note(unsafe.Pointer(&l.writing), "locked")
	note(unsafe.Pointer(&l.idle), "unlocked")
	note(unsafe.Pointer(&l.group), "counter 3")
	note(unsafe.Pointer(&l.done), "done")
	note(unsafe.Pointer(&l.not), "not done")
	return l
}

func makeSyncMaps() *syncMaps {
	m := new(syncMaps)
	m.some.Store("k", 1)
	m.some.Store(2, &small{1, "stored"})
	m.some.Load("k")
	for i := 0; i < 50; i++ {
		m.churned.Store(i, i)
		m.churned.Load(i / 2)
		if i%2 == 0 {
			m.churned.Delete(i)
		}
	}
	m.churned.Range(func(any, any) bool { return true })
	m.churned.Store("late", 1)
	m.churned.Delete(1)
	return m
}

func makePointers() *pointers {
	s := &small{5, text("five")}
	var held any = *s
	p := heap(pointers{
		number: heap(42), text: heap(text("pointed to")), toPointer: &s, toSlice: &[]int{1},
		toArray: &[3]int8{1, 2, 3}, unsafe: unsafe.Pointer(s), inside: &s.name,
		toInterface: &held, toMap: &map[string]int{"a": 1}, toEmpty: &struct{}{},
	})
	noteUnsafe(p.unsafe, "main.small")
	return p
}

func makeFuncs() *funcs {
	n, s := 5, &square{3}
	return heap(funcs{
		plain: plain, closure: func() int { n++; return n }, method: s.grow,
		literal: func() string { return "nothing captured" }, bound: s.area,
		pointers: []func(){nil, s.grow},
	})
}

// growStack makes room, so that what lies on the stack later stays where it is.
//
//go:noinline
func growStack(x byte) byte {
	var room [32 << 10]byte
	room[len(roots)] = x
	return room[0] + room[len(room)-1]
}

func waiter() {
	growStack(0)
	wait(7)
}

//go:noinline
func wait(depth int) {
	held, line := [2]small{{depth, "on the stack"}}, [4]point{{1, 2}, 3: {3, int16(depth)}}
	onStack = [2]uintptr{uintptr(unsafe.Pointer(&held)), uintptr(unsafe.Pointer(&line))}
	<-blocking
	runtime.KeepAlive(&held)
	runtime.KeepAlive(&line)
}

// What is stated: strings as their bytes, everything else as the text that is expected.
type statement struct {
	Elements, Depth int
	Objects         []object
	Global, Element object
	Stack           []object
	Garbage         []string // halves of a text that only what is dropped has
	Kept            []string // halves of a text that is in the heap Copies times
	Copies          int
	Freed           string // address of an object that is garbage
	Roots           string // address of the array that main.roots leads to
}

type object struct {
	Address, Type, Name string
	Rows                map[string]any
}

func state(p any) object { return stateAs(p, "") }

var sink *texts

//go:noinline
func dropped(s *statement) {
	for i := 0; i < 100; i++ {
		garbage := []byte("dropped-" + fmt.Sprint("twin ", i))
		p := &texts{plain: string(garbage)}
		sink = p
		s.Freed = fmt.Sprintf("%#x", uintptr(unsafe.Pointer(p)))
	}
	sink = nil
}

const copies = 10

// keepTexts leaves them to roots alone.
//
//go:noinline
func keepTexts() {
	kept := make([]string, 0, copies)
	for i := 0; i < copies; i++ {
		kept = append(kept, fmt.Sprint("kept-", "twin ", i))
	}
	roots[len(roots)-1] = &kept
}

func main() {
	keepTexts()
	values := []any{makeScalars(), makeTexts(), heap(embedded{base{1}, &small{2, "two"}, nil,
		struct{ a, b [2]int8 }{[2]int8{1, 2}, [2]int8{3, 4}}}),
		&pair[string, int]{"k", 1, &pair[string, int]{"next", 2, nil}},
		&pair[point, *small]{point{1, 2}, &small{3, "generic"}, nil},
		makeSlices(), makeMaps(), makeChans(), makeInterfaces(), makeRecursive(), makeTimes(), makeNumbers(),
		makeLocks(), makeSyncMaps(), makePointers(), makeFuncs()}
	copy(roots, values)
	truth.Settle()
	runtime.GC()
	runtime.GC()
	debug.SetGCPercent(-1)
	go waiter()
	truth.Settle()
	s := statement{Elements: elements, Depth: depth, Garbage: []string{"dropped-", "twin"},
		Kept: []string{"kept-", "twin"}, Copies: copies,
		Roots: fmt.Sprintf("%#x", uintptr(unsafe.Pointer(unsafe.SliceData(roots))))}
	dropped(&s)
	for _, v := range values {
		s.Objects = append(s.Objects, state(v))
	}
	s.Global = stateAs(&global, "main.global")
	s.Element = stateAs(&globals[2].name, "main.globals[2].name")
	s.Stack = []object{stateAs((*[2]small)(unsafe.Pointer(onStack[0])), "held"),
		stateAs((*[4]point)(unsafe.Pointer(onStack[1])), "line")}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		panic(err)
	}
	if os.Getenv("GOHEAP_CHURN") != "" { // a process by its number
		time.Sleep(time.Hour)
	}
	truth.Abort()
}
