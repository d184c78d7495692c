// SPDX-License-Identifier: Apache-2.0

// Channels, who stands in their queues, and who else could get at them. The program states of each
// channel what lies in it, who waits where, who refers to it, and whether anybody could still come.
package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"goheap.test/programs/still"
	"goheap.test/programs/truth"
)

// Waiting are those who do one thing at one place.
type Waiting struct {
	Function string
	Line     int
	Sends    bool
	Goids    []int
}

// Channel is one channel. Each has an element type of its own.
type Channel struct {
	Address            uintptr // all bits flipped
	Type               string
	Unread, Capacity   int
	ElemBytes          uintptr
	Senders, Receivers int
	Closed             bool
	Verdict            string
	Referrers          []string // those that wait aside; with %d the goroutine Holder
	ReferrerCount      int
	Holder             int
	Waiters            []*Waiting
}

// Group are goroutines of one function: what they alone keep alive, besides what describes them.
type Group struct {
	Function  string
	Goids     []int
	Exclusive uintptr // of each alone, summed up
	Together  uintptr // with what several of them share
}

type statement struct {
	Channels []*Channel
	Groups   []*Group
	Chain    []int // who started whom, the first one's starter before it
	Labelled int
	Timed    map[string]int // goroutines that wait for a timer: what they wait in
	Peer     string         // of the connection that Reader reads from
	Reader   int
}

const noReceiver, noSender = "no goroutine that could receive", "no goroutine that could send or close"

var (
	said    statement
	saying  sync.Mutex
	started atomic.Int32
	never   = make(chan int)
	wanted  int32
)

func goid() int {
	var text [64]byte
	words := strings.Fields(string(text[:runtime.Stack(text[:], false)]))
	id, _ := strconv.Atoi(words[1])
	return id
}

func describe[T any](c chan T, name string) *Channel {
	var zero T
	ch := &Channel{Address: ^*(*uintptr)(unsafe.Pointer(&c)), Type: "chan " + name, Unread: len(c), Capacity: cap(c),
		ElemBytes: unsafe.Sizeof(zero)}
	said.Channels = append(said.Channels, ch)
	return ch
}

// waits says that this goroutine is about to, `behind` lines further on.
func (c *Channel) waits(sends bool, behind int) {
	pc, _, line, _ := runtime.Caller(1)
	function := runtime.FuncForPC(pc).Name()
	saying.Lock()
	defer saying.Unlock()
	if sends {
		c.Senders++
	} else {
		c.Receivers++
	}
	started.Add(1)
	for _, w := range c.Waiters {
		if w.Function == function && w.Line == line+behind && w.Sends == sends {
			w.Goids = append(w.Goids, goid())
			return
		}
	}
	c.Waiters = append(c.Waiters, &Waiting{function, line + behind, sends, []int{goid()}})
}

func start(f func()) {
	wanted++
	go f()
}

func settle() {
	for started.Load() < wanted {
		time.Sleep(time.Millisecond)
	}
	still.Wait()
}

type (
	stranded  [5]int64
	ranged    int32
	global    *int
	local     string
	chained   int8
	linked    int16
	timed     uint8
	chosen    uint16
	twice     uint32
	fielded   uint64
	finalized float32
	unread    [3]string
	closed    complex128
	wrapped   [1000]byte
	empty     struct{}
	several   float64
)

type server struct {
	name string
	jobs chan several
}

type owner struct {
	jobs chan fielded
}

type closer struct{ c chan finalized }

var (
	jobs     = make(chan global, 2)
	elsewise = make(chan chosen)
	servers  []*server
	owners   *owner
	kept     []any
	closers  *closer
)

func send(c chan stranded, ch *Channel) {
	ch.waits(true, 1)
	c <- stranded{}
}

func sendToo(c chan stranded, ch *Channel) {
	ch.waits(true, 1)
	c <- stranded{1}
}

// receiversGone leaves those who send alone.
func receiversGone() {
	c := make(chan stranded, 3)
	for i := 0; i < 3; i++ {
		c <- stranded{}
	}
	ch := describe(c, "main.stranded")
	ch.Verdict = noReceiver
	for i := 0; i < 12; i++ {
		start(func() { send(c, ch) })
	}
	for i := 0; i < 5; i++ {
		start(func() { sendToo(c, ch) })
	}
}

func sendersGone() {
	c := make(chan ranged)
	ch := describe(c, "main.ranged")
	ch.Verdict = noSender
	for i := 0; i < 4; i++ {
		start(func() {
			ch.waits(false, 1)
			for v := range c {
				_ = v
			}
		})
	}
}

// inGlobal is the healthy twin: nobody receives now, but anybody could.
func inGlobal() {
	jobs <- nil
	jobs <- nil
	ch := describe(jobs, "main.global")
	ch.Referrers = []string{"main.jobs"}
	for i := 0; i < 6; i++ {
		start(func() {
			ch.waits(true, 1)
			jobs <- nil
		})
	}
}

//go:noinline
func holdLocal(c chan local, ch *Channel) {
	ch.Holder = goid()
	started.Add(1)
	time.Sleep(time.Hour)
	c <- ""
}

// inVariable can be served by one that sleeps.
func inVariable() {
	c := make(chan local)
	ch := describe(c, "main.local")
	ch.Referrers = []string{"goroutine %d main.holdLocal.c"}
	start(func() { holdLocal(c, ch) })
	start(func() {
		ch.waits(false, 1)
		<-c
	})
}

// behindOther is held by one that waits for what can come.
func behindOther() {
	c := make(chan chained)
	ch := describe(c, "main.chained")
	ch.Referrers = []string{"goroutine %d main.passOn.c"}
	start(func() { passOn(c, ch) })
	start(func() {
		ch.waits(false, 1)
		<-c
	})
}

//go:noinline
func passOn(c chan chained, ch *Channel) {
	ch.Holder = goid()
	started.Add(1)
	c <- chained(len(<-waitFor))
}

var waitFor = make(chan string)

// inCircle waits for one that waits for it.
func inCircle() {
	a, b := make(chan linked), make(chan linked)
	cha, chb := describe(a, "main.linked"), describe(b, "main.linked")
	cha.Verdict, chb.Verdict = noSender, noSender
	start(func() { circle(a, b, cha, chb) })
	start(func() { circle(b, a, chb, cha) })
}

//go:noinline
func circle(a, b chan linked, cha, chb *Channel) {
	saying.Lock()
	chb.Holder = goid()
	chb.Referrers = []string{"goroutine %d main.circle.b"}
	saying.Unlock()
	cha.waits(false, 1)
	b <- <-a
}

func byTimer() {
	c := make(chan timed)
	ch := describe(c, "main.timed")
	ch.ReferrerCount = 1 // the closure
	time.AfterFunc(time.Hour, func() { c <- 1 })
	start(func() {
		ch.waits(false, 1)
		<-c
	})
}

// inSelect: one that can be served by another channel may serve this one, too.
func inSelect() {
	c, d := make(chan chosen), make(chan chosen)
	ch, other, alone := describe(c, "main.chosen"), describe(elsewise, "main.chosen"), describe(d, "main.chosen")
	other.Referrers = []string{"main.elsewise"}
	alone.Verdict = noReceiver
	start(func() {
		ch.waits(false, 2)
		other.waits(true, 1)
		select {
		case <-c:
		case elsewise <- 1:
		}
	})
	wanted++
	start(func() {
		alone.waits(true, 1)
		select {
		case d <- 1:
		case <-(chan int)(nil):
		}
	})
}

func twoCases() {
	c := make(chan twice)
	ch := describe(c, "main.twice")
	ch.Verdict = "no goroutine that could send or receive"
	start(func() {
		ch.waits(false, 2)
		ch.waits(true, 1)
		select {
		case <-c:
		case c <- 1:
		}
	})
	wanted++
}

func inFields() {
	c := make(chan several)
	ch := describe(c, "main.several")
	for i := 0; i < 7; i++ {
		servers = append(servers, &server{strconv.Itoa(i), c})
	}
	ch.Referrers = []string{"main.server.jobs", "main.server.jobs", "main.server.jobs", "main.server.jobs", "and 3 more"}
	ch.ReferrerCount = 7
	start(func() {
		ch.waits(true, 1)
		c <- 1
	})
	d := make(chan fielded)
	owners = &owner{d}
	one := describe(d, "main.fielded")
	one.Referrers = []string{"main.owner.jobs"}
	start(func() {
		one.waits(false, 1)
		<-d
	})
}

func byFinalizer() {
	c := make(chan finalized)
	ch := describe(c, "main.finalized")
	ch.Referrers = []string{"main.closer.c"}
	closers = &closer{c}
	runtime.SetFinalizer(closers, func(f *closer) { close(f.c) })
	start(func() {
		ch.waits(false, 1)
		<-c
	})
}

// contents: nobody waits.
func contents() {
	a := make(chan unread, 10)
	for i := 0; i < 7; i++ {
		a <- unread{}
	}
	b := make(chan closed, 5)
	b <- 1
	b <- 2
	close(b)
	c := make(chan closed)
	close(c)
	d := make(chan wrapped, 8) // its first element lies behind its last
	for i := 0; i < 6; i++ {
		d <- wrapped{}
	}
	for i := 0; i < 5; i++ {
		<-d
	}
	for i := 0; i < 6; i++ {
		d <- wrapped{}
	}
	e := make(chan empty, 1000)
	for i := 0; i < 999; i++ {
		e <- empty{}
	}
	kept = append(kept, a, b, c, d, e)
	describe(a, "main.unread")
	describe(b, "main.closed").Closed = true
	describe(c, "main.closed").Closed = true
	describe(d, "main.wrapped")
	describe(e, "main.empty")
	for _, ch := range said.Channels[len(said.Channels)-5:] {
		ch.ReferrerCount = 1
	}
}

type block [32 << 10]byte

var common = new(block)

func (g *Group) joins() {
	saying.Lock()
	g.Goids = append(g.Goids, goid())
	saying.Unlock()
	started.Add(1)
}

//go:noinline
func newBlock() *block { return new(block) }

//go:noinline
func use(b ...*block) {}

//go:noinline
func holdNothing(shared *block, g *Group) {
	g.joins()
	<-never
	use(shared)
}

//go:noinline
func holdOne(shared *block, g *Group) {
	own := newBlock()
	g.joins()
	<-never
	use(own, shared)
}

//go:noinline
func holdThree(shared *block, g *Group) {
	a, b := newBlock(), newBlock()
	c := make([]byte, 100<<10)
	g.joins()
	<-never
	use(a, b, shared)
	c[0]++
}

// groups: each goroutine has blocks of its own, and one that others of it, or a variable, have, too.
func groups() {
	const n = 6
	one, other := truth.Slot(unsafe.Sizeof(block{}), false), truth.Slot(100<<10, false)
	for _, g := range []struct {
		f    func(*block, *Group)
		name string
		each uintptr
	}{{holdNothing, "main.holdNothing", 0}, {holdOne, "main.holdOne", one}, {holdThree, "main.holdThree", 2*one + other}} {
		shared, group := new(block), &Group{Function: g.name, Exclusive: n * g.each, Together: n*g.each + one}
		said.Groups = append(said.Groups, group)
		for i := 0; i < n; i++ {
			wanted++
			with := shared
			if i%2 == 0 {
				with = common
			}
			go g.f(with, group)
		}
	}
}

// generation starts the next one and stays.
//
//go:noinline
func generation(left int) {
	said.Chain = append(said.Chain, goid())
	if left > 0 {
		go generation(left - 1)
	} else {
		pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("job", "resize", "size", "large")))
		said.Labelled = goid()
		started.Add(1)
	}
	<-never
}

func timers() {
	said.Timed = map[string]int{}
	for what, f := range map[string]func(){
		"sleep":   func() { time.Sleep(time.Hour) },
		"after":   func() { <-time.After(time.Hour) },
		"select":  func() { waitTimed() },
		"context": func() { waitContext() },
	} {
		what, f := what, f
		start(func() {
			saying.Lock()
			said.Timed[what] = goid()
			saying.Unlock()
			started.Add(1)
			f()
		})
	}
}

func waitTimed() {
	ticker := time.NewTicker(time.Hour)
	select {
	case <-ticker.C:
	case <-never:
	}
}

func waitContext() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	<-ctx.Done()
}

func connection() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		panic(err)
	}
	said.Peer = listener.Addr().String()
	start(func() {
		said.Reader = goid()
		started.Add(1)
		conn.Read(make([]byte, 10))
	})
	kept = append(kept, listener)
}

func main() {
	receiversGone()
	sendersGone()
	inGlobal()
	inVariable()
	behindOther()
	inCircle()
	byTimer()
	inSelect()
	twoCases()
	inFields()
	byFinalizer()
	contents()
	groups()
	timers()
	connection()
	said.Chain = []int{goid()}
	start(func() { generation(3) })
	settle()
	for _, ch := range said.Channels {
		ch.ReferrerCount = max(ch.ReferrerCount, len(ch.Referrers))
	}
	for i := 0; i < 3; i++ {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	json.NewEncoder(os.Stdout).Encode(&said)
	runtime.LockOSThread()
	truth.Abort()
}
