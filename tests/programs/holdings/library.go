// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

type (
	syncMapPointer struct{ n [3]int }
	syncMapValue   struct{ a, b, c int }
	syncMapKey     struct{ n [4]int }
	pooledFirst    struct{ n [5]int } // in the victim cache: a collection came since
	pooledSecond   struct{ n [6]int }
	pooledInQueue  struct{ n [7]int }
	onceFunc       struct{ n [8]int }
	onceDone       struct{ n [9]int }
	atomicPointer  struct{ n [10]int }
	atomicValue    struct{ n [11]int }
	atomicBoxed    struct{ a, b, c, d int }
	ofSwap         struct{ n [12]int }
	contextKey     struct{ n [3]int }
	contextValue   struct{ n [13]int }
	canceled       struct{ n [14]int }
	withTimeout    struct{ n [15]int }
	afterFunc      struct{ n [16]int }
	ofTimer        struct{ timer *time.Timer }
	ofTicker       struct {
		ticker *time.Ticker
		n      [2]int
	}
	source  struct{ n [17]int }
	drain   struct{ n [18]int }
	limited struct{ n [19]int }
	onPiped struct {
		r *io.PipeReader
		n [20]int
	}
	builder struct{ strings.Builder }
	buffer  struct{ bytes.Buffer }
	grown   struct{ p *ofGrown }
	ofGrown struct{ n [3]int }
	sorted  struct{ key string }
	guarded struct {
		sync.Mutex
		byName map[string]*ofGuarded
	}
	ofGuarded struct{ n [21]int }
	condition struct {
		*sync.Cond
		n int
	}
	textHolder struct{ text string }
	byteHolder struct{ text []byte }
)

const queued = 3 // in a pool, behind the first

func (*source) Read(p []byte) (int, error)  { return len(p), nil }
func (*drain) Write(p []byte) (int, error)  { return len(p), nil }
func (*limited) Read(p []byte) (int, error) { return 0, io.EOF }
func (c contextKey) String() string         { return "key" }

var (
	syncMap      sync.Map
	syncKeys     sync.Map
	firstPool    sync.Pool
	secondPool   sync.Pool
	onceCalled   func()
	once         sync.Once
	onceResult   *onceDone
	current      atomic.Pointer[atomicPointer]
	atomicBox    atomic.Value
	atomicBoxing atomic.Value
	swapped      [3]atomic.Pointer[ofSwap]
	ctx          context.Context
	cancels      []context.CancelFunc
	timed        context.Context
	timers       []*ofTimer
	tickers      []*ofTicker
	callbacks    []*time.Timer
	reader       *bufio.Reader
	writer       *bufio.Writer
	limits       io.Reader
	piped        *onPiped
	pipeEnd      *io.PipeWriter
	builders     [2]builder
	buffers      [2]*buffer
	grows        []grown
	sorts        []*sorted
	guard        guarded
	conditions   []*condition
	texts        []*textHolder
	byteTexts    []*byteHolder
)

func buildLibrary() {
	for i := 0; i < 5; i++ {
		syncMap.Store(i, &syncMapPointer{})
		syncMap.Store(-1-i, syncMapValue{a: i})
		syncKeys.Store(&syncMapKey{}, 1000+i)
	}
	made[syncMapPointer](5).Sure()
	made[syncMapValue](5).Sure()
	made[syncMapKey](5).Sure()
	made[pooledFirst](1).Sure()
	made[pooledSecond](1).Sure()
	made[pooledInQueue](2 * queued)

	inOnce := &onceFunc{}
	onceCalled = sync.OnceFunc(func() { inOnce.n[0]++ }) // not called: it lets go of its function
	made[onceFunc](1).InClosure()
	once.Do(func() { onceResult = &onceDone{} })
	made[onceDone](1)

	current.Store(&atomicPointer{})
	made[atomicPointer](1)
	atomicBox.Store(&atomicValue{})
	atomicBoxing.Store(atomicBoxed{a: total})
	made[atomicValue](1)
	made[atomicBoxed](1)
	for i := range swapped {
		swapped[i].CompareAndSwap(nil, &ofSwap{})
	}
	made[ofSwap](3)

	ctx = context.WithValue(context.Background(), contextKey{[3]int{total}}, &contextValue{})
	ctx, cancel := context.WithCancel(context.WithValue(ctx, &contextKey{}, &canceled{}))
	var cancelTimed context.CancelFunc
	timed, cancelTimed = context.WithTimeout(context.WithValue(ctx, 1, &withTimeout{}), time.Hour)
	cancels = append(cancels, cancel, cancelTimed)
	made[contextKey](2).Sure()
	made[contextValue](1).Sure()
	made[canceled](1).Sure()
	made[withTimeout](1).Sure()
	for i := 0; i < 3; i++ {
		p := &afterFunc{}
		callbacks = append(callbacks, time.AfterFunc(time.Hour, func() { p.n[i]++ }))
		timers = append(timers, &ofTimer{time.NewTimer(time.Hour)})
		tickers = append(tickers, &ofTicker{ticker: time.NewTicker(time.Hour)})
	}
	made[afterFunc](3).InClosure()
	made[ofTimer](3)
	made[ofTicker](3)

	reader, writer = bufio.NewReader(&source{}), bufio.NewWriter(&drain{})
	limits = io.TeeReader(io.LimitReader(&limited{}, 10), writer)
	r, w := io.Pipe()
	piped, pipeEnd = &onPiped{r: r}, w
	made[source](1)
	made[drain](1)
	made[limited](1)
	made[onPiped](1)
	for i := range builders {
		builders[i].WriteString("this is longer than what the tiny allocator takes")
		buffers[i] = &buffer{}
		buffers[i].WriteString("this is text in a buffer of its own")
	}
	made[buffer](2)

	grows = slices.Grow(grows, 20)[:3]
	grows[2].p = &ofGrown{}
	arrays[grown]("[]main.grown", 1, cap(grows))
	made[ofGrown](1)
	for i := 0; i < 4; i++ {
		sorts = slices.Insert(sorts, 0, &sorted{"key"})
	}
	made[sorted](4)
	guard.byName = map[string]*ofGuarded{"one": {}}
	made[ofGuarded](1)
	for i := 0; i < 3; i++ {
		conditions = append(conditions, &condition{Cond: sync.NewCond(&guard)})
		text := "a text that is put together, number " + strconv.Itoa(i)
		bytes := []byte(text)
		byteTexts = append(byteTexts, &byteHolder{bytes})
		texts = append(texts, &textHolder{text}, &textHolder{text[10:]}, &textHolder{string(bytes)})
	}
	made[condition](3)
	made[textHolder](9)
	made[byteHolder](3)
}

// fillFirstPool fills a pool before the last collection, fillSecondPool another one after it.
func fillFirstPool()  { fillPool(&firstPool, &pooledFirst{}) }
func fillSecondPool() { fillPool(&secondPool, &pooledSecond{}) }

// fillPool leaves the first object with the processor, the others in its queue.
func fillPool(pool *sync.Pool, first any) {
	pool.Put(first)
	for i := 0; i < queued; i++ {
		pool.Put(&pooledInQueue{})
	}
}

func plantLibrary() {
	garbageOf[syncMapPointer]()
	garbageOf[syncMapValue]()
	garbageOf[pooledFirst]()
	garbageOf[pooledSecond]()
	garbageOf[contextValue]()
	garbageOf[withTimeout]()
	garbageOf[afterFunc]()
	garbageOf[source]()
	garbageOf[ofGuarded]()
	garbageOf[textHolder]()
	for i := range swapped {
		old := swapped[i].Swap(&ofSwap{})
		truth.Plant(unsafe.Pointer(old))
	}
}
