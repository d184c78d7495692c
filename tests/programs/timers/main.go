// SPDX-License-Identifier: Apache-2.0

// Timers of every kind: created, stopped, reset, dropped, fired. Each states when it will fire by
// the runtime's own clock, and who could stop it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unsafe"

	"goheap.test/programs/abort"
	"goheap.test/programs/still"
)

//go:linkname nanotime runtime.nanotime
func nanotime() int64

// Stated is one timer, or several alike that have no address: what the core must show.
type Stated struct {
	Object   uintptr // of the time.Timer or time.Ticker, all bits flipped; 0: not known
	Kind     string
	Group    string
	State    string
	Verdict  string
	Owner    string
	Callback string // what its name begins with
	From, To int64  // nanotime of the next firing; 0: none
	Period   int64
	Keeps    int // bytes that go with it, at least
	Line     int // where its memory was allocated; 0: that was not sampled
}

const (
	many     = 1000
	some     = 200
	few      = 40
	captured = 4096
)

var (
	mu       sync.Mutex
	stated   []Stated
	timers   []*time.Timer
	tickers  []*time.Ticker
	jittered []*time.Ticker
	tick     <-chan time.Time
	held     context.Context
	cancels  []context.CancelFunc
	started  sync.WaitGroup
	never    = make(chan struct{})
	conns    []net.Conn
	sum      int
)

func state(s Stated) {
	mu.Lock()
	stated = append(stated, s)
	mu.Unlock()
}

// flipped is an address that nobody takes for one, on a stack neither.
func flipped(p unsafe.Pointer) uintptr { return ^uintptr(p) }

func address(t *time.Timer) uintptr { return flipped(unsafe.Pointer(t)) }

// apart runs f on a goroutine that ends, so that no stack keeps anything of it. That stack has an
// unusual size: one of the usual size would be handed with all its addresses to the next goroutine,
// whose frames the collector may have to take word by word.
func apart(f func()) {
	done := make(chan struct{})
	go func() { defer close(done); sum += int(deep(0)); f() }()
	<-done
}

//go:noinline
func deep(x byte) byte {
	var room [300 << 10]byte
	room[len(os.Args)] = x
	return room[0] + room[len(room)-1]
}

//go:noinline
func between(d time.Duration, make func()) (from, to int64) {
	from = nanotime() + int64(d)
	make()
	return from, nanotime() + int64(d)
}

func holdTimers() {
	for i := 0; i < many; i++ {
		var t *time.Timer
		d := time.Hour + time.Duration(i)*time.Millisecond
		from, to := between(d, func() { t = time.NewTimer(d) })
		timers = append(timers, t)
		state(Stated{address(t), "Timer", "held", "armed", "held", "main.timers", "", from, to, 0, 0, 0})
	}
}

func holdTickers() {
	for i := 0; i < some; i++ {
		var t *time.Ticker
		d := 2*time.Hour + time.Duration(i%3)*time.Second
		from, to := between(d, func() { t = time.NewTicker(d) })
		tickers = append(tickers, t)
		state(Stated{flipped(unsafe.Pointer(t)), "Ticker", "held ticker", "armed", "held", "main.tickers", "",
			from, to, int64(d), 0, 0})
	}
}

// jitter makes tickers whose periods are alike and never the same.
func jitter() {
	for i := 0; i < some; i++ {
		var t *time.Ticker
		d := 4*time.Hour + time.Duration(i)*time.Millisecond
		from, to := between(d, func() { t = time.NewTicker(d) })
		jittered = append(jittered, t)
		state(Stated{Object: flipped(unsafe.Pointer(t)), Kind: "Ticker", Group: "jitter", State: "armed",
			Verdict: "held", Owner: "main.jittered", From: from, To: to, Period: int64(d)})
	}
}

func here() int {
	_, _, line, _ := runtime.Caller(1)
	return line
}

// sampled makes timers while the memory profile notes each allocation.
func sampled() {
	profile := runtime.MemProfile // the linker leaves profiling out where nobody asks for it
	sum += int(uintptr(unsafe.Pointer(&profile)) & 1)
	runtime.MemProfileRate = 1
	for i := 0; i < few; i++ {
		s := Stated{Group: "sampled", State: "armed", Verdict: "held", Owner: "main.timers"}
		var t *time.Timer
		if i%2 == 0 {
			s.Kind, s.Callback = "AfterFunc", "main.sampled."
			s.From = nanotime() + int64(5*time.Hour)
			t, s.Line = time.AfterFunc(5*time.Hour, func() { sum++ }), here()
		} else {
			s.Kind, s.From = "Timer", nanotime()+int64(5*time.Hour)
			t, s.Line = time.NewTimer(5*time.Hour), here()
		}
		s.To = nanotime() + int64(5*time.Hour)
		timers = append(timers, t)
		s.Object = address(t)
		state(s)
	}
	runtime.MemProfileRate = 0
}

func stopAndReset() {
	for i := 0; i < some; i++ {
		t := time.AfterFunc(time.Hour, func() { sum++ })
		timers = append(timers, t)
		s := Stated{Object: address(t), Kind: "AfterFunc", Group: "stopped", State: "stopped", Verdict: "stopped",
			Callback: "main.stopAndReset."}
		switch i % 4 {
		case 0:
			t.Stop()
		case 1: // earlier
			s.From, s.To = between(time.Minute, func() { t.Reset(time.Minute) })
		case 2: // later
			s.From, s.To = between(30*time.Hour, func() { t.Reset(30 * time.Hour) })
		case 3: // again
			t.Stop()
			s.From, s.To = between(3*time.Hour, func() { t.Reset(3 * time.Hour) })
		}
		if s.From != 0 {
			s.Group, s.State, s.Verdict, s.Owner = "reset", "armed", "held", "main.timers"
		}
		state(s)
	}
}

func fired() {
	for i := 0; i < few; i++ {
		t := time.NewTimer(time.Nanosecond)
		timers = append(timers, t)
		<-t.C
		state(Stated{address(t), "Timer", "fired", "stopped", "stopped", "", "", 0, 0, 0, 0, 0})
	}
}

// dropped timers cannot be stopped by anybody.
func dropped() {
	for i := 0; i < many; i++ {
		buffer := make([]byte, captured)
		var t *time.Timer
		from, to := between(23*time.Hour, func() {
			t = time.AfterFunc(23*time.Hour, func() { sum += len(buffer) + int(buffer[0]) })
		})
		state(Stated{address(t), "AfterFunc", "dropped", "armed", "unstoppable", "", "main.dropped.", from, to, 0,
			captured, 0})
	}
}

// ownCallback timers are held by what they will call, and by nothing else.
func ownCallback() {
	for i := 0; i < few; i++ {
		var t *time.Timer
		from, to := between(5*time.Hour, func() {
			t = time.AfterFunc(5*time.Hour, func() { t.Reset(time.Hour) })
		})
		state(Stated{address(t), "AfterFunc", "own callback", "armed", "unstoppable", "", "main.ownCallback.",
			from, to, 0, 0, 0})
	}
}

// byAnother is a timer that nobody but the callback of another could stop.
func byAnother() {
	var first, second *time.Timer
	from, to := between(6*time.Hour, func() {
		first = time.AfterFunc(6*time.Hour, func() { sum++ })
	})
	state(Stated{address(first), "AfterFunc", "by another", "armed", "held", "timer main.byAnother.",
		"main.byAnother.", from, to, 0, 0, 0})
	from, to = nanotime()+int64(7*time.Hour), 0
	second = time.AfterFunc(7*time.Hour, func() { first.Stop() })
	state(Stated{address(second), "AfterFunc", "the other", "armed", "unstoppable", "", "main.byAnother.", from,
		nanotime() + int64(7*time.Hour), 0, 0, 0})
}

// droppedChannels stay in the heap of timers only where asynctimerchan is 1, or before Go 1.23.
func droppedChannels() {
	for i := 0; i < few; i++ {
		var t *time.Timer
		var k *time.Ticker
		from, to := between(8*time.Hour, func() { t = time.NewTimer(8 * time.Hour) })
		state(Stated{address(t), "Timer", "dropped channel", "armed", "unstoppable", "", "", from, to, 0, 0, 0})
		from, to = between(9*time.Hour, func() { k = time.NewTicker(9 * time.Hour) })
		state(Stated{flipped(unsafe.Pointer(k)), "Ticker", "dropped channel", "armed", "unstoppable", "", "", from, to,
			int64(9 * time.Hour), 0, 0})
	}
}

func ticking() {
	started.Done()
	for range time.Tick(10 * time.Hour) {
		sum++
	}
}

func waiting() {
	started.Done()
	select {
	case <-time.After(11 * time.Hour):
	case <-never:
	}
}

func sleeping() {
	started.Done()
	time.Sleep(12 * time.Hour)
}

func stopping() {
	t := time.AfterFunc(13*time.Hour, func() { sum++ })
	defer t.Stop()
	started.Done()
	<-never
}

func goroutines() {
	from := nanotime()
	for _, f := range []func(){ticking, waiting, sleeping, stopping} {
		started.Add(few)
		for i := 0; i < few; i++ {
			go f()
		}
	}
	started.Wait()
	still.Wait()
	to := nanotime()
	for i := 0; i < few; i++ {
		h := int64(time.Hour)
		state(Stated{0, "Ticker", "tick", "armed", "unstoppable, in use", "main.ticking", "", from + 10*h, to + 10*h, 10 * h, 0, 0})
		state(Stated{0, "Timer", "after", "armed", "unstoppable, in use", "main.waiting", "", from + 11*h, to + 11*h, 0, 0, 0})
		state(Stated{0, "Sleep", "sleep", "armed", "unstoppable, in use", "main.sleeping", "", from + 12*h, to + 12*h, 0, 0, 0})
		state(Stated{0, "AfterFunc", "deferred", "armed", "held", "main.stopping", "main.stopping.", from + 13*h,
			to + 13*h, 0, 0, 0})
	}
}

// left timers had a goroutine each that waited for them, and went on another way. One heap lists
// them: the scheduler clears a heap where a quarter of it is such.
func left() {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var gone sync.WaitGroup
	release := make(chan struct{})
	for i := 0; i < few; i++ {
		gone.Add(1)
		go leaving(release, &gone)
	}
	buffer := make([]byte, 1<<20)
	for strings.Count(string(buffer[:runtime.Stack(buffer, true)]), "[select]:\nmain.leaving(") < few {
		time.Sleep(time.Millisecond)
	}
	close(release)
	gone.Wait()
}

//go:noinline
func leaving(release chan struct{}, gone *sync.WaitGroup) {
	var t *time.Timer
	from, to := between(19*time.Hour, func() { t = time.NewTimer(19 * time.Hour) })
	state(Stated{address(t), "Timer", "left", "armed", "unstoppable", "", "", from, to, 0, 0, 0})
	select {
	case <-t.C:
	case <-release:
	}
	gone.Done()
}

func globalTick() {
	from, to := between(14*time.Hour, func() { tick = time.Tick(14 * time.Hour) })
	state(Stated{0, "Ticker", "global tick", "armed", "unstoppable, in use", "main.tick", "", from, to,
		int64(14 * time.Hour), 0, 0})
}

func contexts() {
	parent, cancel := context.WithCancel(context.Background())
	held = parent
	cancels = append(cancels, cancel)
	for i := 0; i < few; i++ {
		// nobody has them: only the timer heap does
		from, to := between(15*time.Hour, func() { context.WithTimeout(context.Background(), 15*time.Hour) })
		state(Stated{0, "context", "forgotten context", "armed", "unstoppable", "", "", from, to, 0, 0, 0})
		// the parent cancels its children
		from, to = between(16*time.Hour, func() { context.WithTimeout(parent, 16*time.Hour) })
		state(Stated{0, "context", "child context", "armed", "held", "main.cancels and main.held", "", from, to, 0, 0, 0})
	}
}

func deadlines() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	for i := 0; i < 4; i++ {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			panic(err)
		}
		conns = append(conns, conn)
		from, to := between(17*time.Hour, func() { conn.SetDeadline(time.Now().Add(17 * time.Hour)) })
		state(Stated{0, "deadline", "deadline", "armed", "", "", "runtime.netpollDeadline", from - int64(time.Second), to + int64(time.Second), 0, 0, 0})
		if i%2 == 0 { // a timer for each direction
			from, to = between(18*time.Hour, func() { conn.SetReadDeadline(time.Now().Add(18 * time.Hour)) })
			stated[len(stated)-1].Callback = "runtime.netpollWriteDeadline"
			state(Stated{0, "deadline", "deadline", "armed", "", "", "runtime.netpollReadDeadline", from - int64(time.Second), to + int64(time.Second), 0, 0, 0})
		}
	}
}

// firing keeps timers at work on all processors until the end.
func firing() {
	for i := 0; i < few; i++ {
		d := time.Duration(500+i%7) * time.Microsecond
		t := time.NewTicker(d)
		tickers = append(tickers, t)
		go func() {
			for range t.C {
				sum++
			}
		}()
		state(Stated{flipped(unsafe.Pointer(t)), "Ticker", "firing", "armed", "held", "", "", 0, 0, int64(d), 0, 0})
	}
	for i := 0; i < 2*many; i++ {
		f := time.AfterFunc(time.Hour, func() { sum++ })
		timers = append(timers, f)
		state(Stated{address(f), "AfterFunc", "beside", "armed", "held", "main.timers", "main.firing.", 0, 0, 0, 0, 0})
	}
	time.Sleep(50 * time.Millisecond)
}

func main() {
	runtime.MemProfileRate = 0 // but for sampled
	debug.SetGCPercent(-1)     // or what is dropped goes, and another timer takes its place
	if len(os.Args) > 1 && os.Args[1] == "firing" {
		firing()
	} else {
		apart(holdTimers)
		apart(holdTickers)
		apart(jitter)
		apart(sampled)
		apart(stopAndReset)
		apart(fired)
		apart(dropped)
		apart(ownCallback)
		apart(byAnother)
		apart(droppedChannels)
		apart(contexts)
		apart(holders)
		goroutines()
		apart(left)
		apart(globalTick)
		deadlines()
		for i := 0; i < 3; i++ {
			runtime.GC()
		}
		apart(pooled)
	}
	mu.Lock()
	text, err := json.Marshal(map[string]any{"now": nanotime(), "stated": stated})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
	abort.InSyscall()
}
