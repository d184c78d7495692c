// SPDX-License-Identifier: Apache-2.0

// Locks that somebody waits for: the program states which, who waits, who holds them, and who waits
// in a circle. With the word "healthy" the same locks without a circle, and without a defer that
// would tell who holds them; with "stay" behind it, the program does not die.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"goheap.test/programs/still"
	"goheap.test/programs/truth"
)

type lock struct {
	Address  string
	Kind     string
	Name     string
	Waiters  []int
	Holders  []int
	Decoys   []int  // that a possible holder may look like, and no likely one
	Level    string // of the holders; "": nobody knows
	Starving bool
}

type statement struct {
	Locks     []*lock
	Deadlocks []circle
}

type circle struct {
	Level string
	Goids []int
}

var (
	said   statement
	saying sync.Mutex
	never  = make(chan int)
)

func goid() int {
	var text [64]byte
	words := strings.Fields(string(text[:runtime.Stack(text[:], false)]))
	id, _ := strconv.Atoi(words[1])
	return id
}

func addressOf(p unsafe.Pointer) string {
	return "0x" + strconv.FormatUint(uint64(uintptr(p)), 16)
}

func state(p unsafe.Pointer, kind, name, level string) *lock {
	l := &lock{Address: addressOf(p), Kind: kind, Name: name, Level: level}
	saying.Lock()
	said.Locks = append(said.Locks, l)
	saying.Unlock()
	return l
}

func (l *lock) waits() {
	saying.Lock()
	l.Waiters = append(l.Waiters, goid())
	saying.Unlock()
}

func (l *lock) holds() {
	saying.Lock()
	l.Holders = append(l.Holders, goid())
	saying.Unlock()
}

// settle waits until everybody who said so is blocked.
func settle() { still.Wait() }

type guarded struct {
	name string
	mu   sync.Mutex
	n    int
}

type first struct {
	mu sync.Mutex
	n  int
}

type table struct {
	sync.RWMutex
	rows map[string]int
}

type queue struct {
	cond *sync.Cond
	list []int
}

var (
	globalA, globalB, globalC sync.Mutex
	config                    table
	registry                  struct {
		size int
		mu   sync.Mutex
	}
	queues  []*queue
	tables  []*table
	members []*guarded
	firsts  []*first
	groups  []*sync.WaitGroup
)

// meet lets three go on together.
func meet(here *atomic.Int32) {
	here.Add(1)
	for here.Load() < 3 {
		runtime.Gosched()
	}
}

func takeBoth(a, b *guarded, la, lb *lock, here *atomic.Int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	la.holds()
	meet(here)
	lb.waits()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
}

// circleWithDefer is a deadlock of three goroutines whose defers say what they hold.
func circleWithDefer() {
	var locks [3]*lock
	var here atomic.Int32
	for i := range locks {
		g := &guarded{name: strconv.Itoa(i)}
		members = append(members, g)
		locks[i] = state(unsafe.Pointer(&g.mu), "Mutex", "main.guarded.mu", "likely")
	}
	of := members[len(members)-3:]
	for i := range locks {
		go takeBoth(of[i], of[(i+1)%3], locks[i], locks[(i+1)%3], &here)
	}
	for here.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	settle()
	said.Deadlocks = append(said.Deadlocks, circle{"likely",
		[]int{locks[0].Holders[0], locks[1].Holders[0], locks[2].Holders[0]}})
}

func takeAB(la, lb *lock, here *atomic.Int32) {
	globalA.Lock()
	la.holds()
	meet(here)
	lb.waits()
	globalB.Lock()
	globalB.Unlock()
	globalA.Unlock()
}

func takeBC(lb, lc *lock, here *atomic.Int32) {
	globalB.Lock()
	lb.holds()
	meet(here)
	lc.waits()
	globalC.Lock()
	globalC.Unlock()
	globalB.Unlock()
}

func takeCA(lc, la *lock, here *atomic.Int32) {
	globalC.Lock()
	lc.holds()
	meet(here)
	la.waits()
	globalA.Lock()
	globalA.Unlock()
	globalC.Unlock()
}

// circleOfGlobals is a deadlock of three goroutines that will call Unlock later.
func circleOfGlobals() {
	var here atomic.Int32
	a := state(unsafe.Pointer(&globalA), "Mutex", "main.globalA", "possible")
	b := state(unsafe.Pointer(&globalB), "Mutex", "main.globalB", "possible")
	c := state(unsafe.Pointer(&globalC), "Mutex", "main.globalC", "possible")
	go takeAB(a, b, &here)
	go takeBC(b, c, &here)
	go takeCA(c, a, &here)
	for here.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	settle()
	said.Deadlocks = append(said.Deadlocks,
		circle{"possible", []int{a.Holders[0], b.Holders[0], c.Holders[0]}})
}

func again(f *first) {
	f.mu.Lock()
	f.n++
	f.mu.Unlock()
}

// circleOfOne locks what it has locked.
func circleOfOne() {
	f := new(first)
	firsts = append(firsts, f)
	l := state(unsafe.Pointer(&f.mu), "Mutex", "main.first.mu", "likely")
	go func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		l.holds()
		l.waits()
		again(f)
	}()
	settleAt(l, 1)
	said.Deadlocks = append(said.Deadlocks, circle{"likely", []int{l.Holders[0]}})
}

func waiting(l *lock) int {
	saying.Lock()
	defer saying.Unlock()
	return len(l.Waiters)
}

func settleAt(l *lock, n int) {
	for waiting(l) < n {
		time.Sleep(time.Millisecond)
	}
	settle()
}

func holding(l *lock, n int) {
	for {
		saying.Lock()
		have := len(l.Holders)
		saying.Unlock()
		if have == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func waitFor(g *guarded, l *lock, again bool) {
	l.waits()
	for more := true; more; more = again {
		g.mu.Lock()
		g.n++
		g.mu.Unlock()
	}
}

// crowd waits for one mutex, until somebody starves.
func crowd(n int, starve, deferred bool) {
	g := &guarded{name: "crowd"}
	members = append(members, g)
	level := "possible"
	if deferred {
		level = "likely"
	}
	l := state(unsafe.Pointer(&g.mu), "Mutex", "main.guarded.mu", level)
	l.Starving = starve
	word := (*int32)(unsafe.Pointer(&g.mu))
	work := func() {
		for starve && atomic.LoadInt32(word)&4 == 0 {
			time.Sleep(2 * time.Millisecond)
			if atomic.LoadInt32(word)&4 == 0 {
				g.mu.Unlock()
				g.mu.Lock()
			}
		}
		<-never
	}
	if deferred {
		go func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			l.holds()
			work()
		}()
	} else {
		go func() {
			g.mu.Lock()
			l.holds()
			work()
			g.mu.Unlock()
		}()
	}
	holding(l, 1)
	for i := 0; i < n; i++ {
		go waitFor(g, l, starve)
	}
	settleAt(l, n)
	for starve && atomic.LoadInt32(word)&4 == 0 {
		time.Sleep(time.Millisecond)
	}
}

func read(t *table, l *lock) {
	t.RLock()
	defer t.RUnlock()
	l.holds()
	<-never
}

func write(t *table, l *lock) {
	t.Lock()
	defer t.Unlock()
	l.holds()
	<-never
}

func waitToWrite(t *table, l *lock) {
	l.waits()
	t.Lock()
	t.rows["x"]++
	t.Unlock()
}

func waitToRead(t *table, l *lock) {
	l.waits()
	t.RLock()
	_ = t.rows["x"]
	t.RUnlock()
}

// readers are at work, a writer waits, and readers behind it.
func readers() {
	t := &table{rows: map[string]int{}}
	tables = append(tables, t)
	l := state(unsafe.Pointer(&t.RWMutex), "RWMutex", "main.table.RWMutex", "likely")
	for i := 0; i < 5; i++ {
		go read(t, l)
	}
	holding(l, 5)
	go waitToWrite(t, l)
	settleAt(l, 1)
	for i := 0; i < 7; i++ {
		go waitToRead(t, l)
	}
	settleAt(l, 8)
}

// writer is at work on a package variable, readers and writers wait.
func writer() {
	config.rows = map[string]int{}
	l := state(unsafe.Pointer(&config.RWMutex), "RWMutex", "main.config.RWMutex", "likely")
	go write(&config, l)
	holding(l, 1)
	for i := 0; i < 2; i++ {
		go waitToWrite(&config, l)
	}
	for i := 0; i < 4; i++ {
		go waitToRead(&config, l)
	}
	settleAt(l, 6)
}

func done(wg *sync.WaitGroup, l *lock) {
	defer wg.Done()
	l.holds()
	<-never
}

func doneInLiteral(wg *sync.WaitGroup, l *lock) {
	name := "worker"
	defer func() {
		if len(name) > 0 {
			wg.Done()
		}
	}()
	l.holds()
	<-never
	name = ""
}

// doneUnderLock has had another lock, and takes it again before it says so, as calls that are shared
// by several do.
func doneUnderLock(wg *sync.WaitGroup, own *sync.Mutex, l *lock) {
	name := "worker"
	defer func() {
		own.Lock()
		defer own.Unlock()
		if len(name) > 0 {
			wg.Done()
		}
	}()
	own.Lock()
	own.Unlock()
	l.holds()
	<-never
	name = ""
}

// workers will say that they are done in a defer.
func workers() {
	wg := new(sync.WaitGroup)
	groups = append(groups, wg)
	l := state(unsafe.Pointer(wg), "WaitGroup", "sync.WaitGroup", "likely")
	for i := 0; i < 4; i++ {
		wg.Add(1)
		switch i {
		case 0:
			go doneInLiteral(wg, l)
		case 1:
			go doneUnderLock(wg, new(sync.Mutex), l)
		default:
			go done(wg, l)
		}
	}
	holding(l, 4)
	go func() {
		l.waits()
		wg.Wait()
	}()
	settleAt(l, 1)
}

// sleepers wait for a condition.
func sleepers() {
	q := &queue{cond: sync.NewCond(new(sync.Mutex))}
	queues = append(queues, q)
	l := state(unsafe.Pointer(q.cond), "Cond", "sync.Cond", "")
	for i := 0; i < 6; i++ {
		go func() {
			q.cond.L.Lock()
			l.waits()
			for len(q.list) == 0 {
				q.cond.Wait()
			}
			q.cond.L.Unlock()
		}()
	}
	settleAt(l, 6)
}

// decoys have defers and frames that look like a holder's: the lock is held by somebody else.
func decoys() {
	l := state(unsafe.Pointer(&registry.mu), "Mutex", "main.registry.mu", "possible")
	go func() {
		registry.mu.Lock()
		l.holds()
		<-never
		registry.mu.Unlock()
	}()
	holding(l, 1)
	go func() { // locks in its defer
		defer func() {
			registry.mu.Lock()
			registry.size++
			registry.mu.Unlock()
		}()
		<-never
	}()
	go func() { // waits where it has deferred already
		defer registry.mu.Unlock()
		l.waits()
		registry.mu.Lock()
	}()
	settleAt(l, 1)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "healthy" {
		crowd(20, false, false)
		sleepers()
		decoys()
		returned()
		unlocked()
	} else {
		circleWithDefer()
		circleOfGlobals()
		circleOfOne()
		crowd(100, true, true)
		crowd(10, false, false)
		readers()
		writer()
		workers()
		sleepers()
		decoys()
		returned()
		unlocked()
		notYet()
		others()
		onces()
		groupsOfErrors()
		files()
		readersThatWrite()
		workersByGo()
	}
	settle()
	for i := 0; i < 2; i++ {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
	}
	json.NewEncoder(os.Stdout).Encode(&said)
	if len(os.Args) > 2 && os.Args[2] == "stay" {
		<-never
	}
	runtime.LockOSThread()
	truth.Abort()
}
