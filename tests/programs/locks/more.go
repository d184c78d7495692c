// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

type lazy struct {
	name string
	once sync.Once
}

// group is what errgroup.Group is: workers say that they are done in a method of it.
type group struct {
	cancel func()
	wg     sync.WaitGroup
	err    error
}

func (g *group) done() {
	if g.err == nil {
		g.wg.Done()
	}
}

func (g *group) run(f func()) {
	g.wg.Add(1)
	go func() {
		defer g.done()
		f()
	}()
}

var (
	lazies []*lazy
	runs   []*group
	pipes  []*os.File
)

func newGuarded(name, level string) (*guarded, *lock) {
	g := &guarded{name: name}
	members = append(members, g)
	return g, state(unsafe.Pointer(&g.mu), "Mutex", "main.guarded.mu", level)
}

func (l *lock) decoy() {
	saying.Lock()
	l.Decoys = append(l.Decoys, goid())
	saying.Unlock()
}

func decoysOf(l *lock, n int) {
	for {
		saying.Lock()
		have := len(l.Decoys)
		saying.Unlock()
		if have == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func crowdFor(g *guarded, l *lock, n int) {
	for i := 0; i < n; i++ {
		go waitFor(g, l, false)
	}
	settleAt(l, n)
}

// returned leaves a lock locked: nobody has it any more.
func returned() {
	g, l := newGuarded("returned", "")
	gone := make(chan int)
	go func() {
		g.mu.Lock()
		g.n++
		close(gone)
	}()
	<-gone
	crowdFor(g, l, 3)
}

func hold(g *guarded, l *lock) {
	g.mu.Lock()
	l.holds()
	<-never
	g.mu.Unlock()
}

// early unlocks before its end; its defer would, too, had it not.
func early(g *first, l *lock) {
	g.mu.Lock()
	held := true
	defer func() {
		if held {
			g.mu.Unlock()
		}
	}()
	g.n++
	g.mu.Unlock()
	held = false
	l.decoy()
	<-never
	held = g.n < 0
}

// late has a defer that would unlock what it has not locked yet.
func late(g *first, l *lock) {
	held := false
	defer func() {
		if held {
			g.mu.Unlock()
		}
	}()
	l.decoy()
	<-never
	g.mu.Lock()
	held = true
}

// used has locked and unlocked, and goes on with what the lock guards.
func used(g *guarded, l *lock) {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
	l.decoy()
	<-never
	g.n++
}

func touch(g *guarded) {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
}

// usedDeeper has done so in a call that has returned.
func usedDeeper(g *guarded, l *lock) {
	touch(g)
	l.decoy()
	<-never
	g.n++
}

func newFirst(level string) (*first, *lock) {
	f := new(first)
	firsts = append(firsts, f)
	return f, state(unsafe.Pointer(&f.mu), "Mutex", "main.first.mu", level)
}

func holdFirst(f *first, l *lock) {
	f.mu.Lock()
	l.holds()
	<-never
	f.mu.Unlock()
}

func holdFirstAndDefer(f *first, l *lock) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.holds()
	<-never
}

// unlocked: who let go of the lock is no likely holder, whatever his frame looks like.
func unlocked() {
	g, l := newGuarded("unlocked", "possible")
	go used(g, l)
	go usedDeeper(g, l)
	decoysOf(l, 2)
	go hold(g, l)
	holding(l, 1)
	crowdFor(g, l, 2)
	f, l := newFirst("possible")
	go early(f, l)
	decoysOf(l, 1)
	go holdFirst(f, l)
	holding(l, 1)
	go func() {
		l.waits()
		again(f)
	}()
	settleAt(l, 1)
}

// notYet: the one who will lock it does not make the one who has it less likely.
func notYet() {
	f, l := newFirst("likely")
	go late(f, l)
	go early(f, l)
	decoysOf(l, 2)
	go holdFirstAndDefer(f, l)
	holding(l, 1)
	go func() {
		l.waits()
		again(f)
	}()
	settleAt(l, 1)
}

func holdAndUse(g, other *guarded, l *lock) {
	g.mu.Lock()
	defer g.mu.Unlock()
	other.mu.Lock()
	other.n++
	other.mu.Unlock()
	l.holds()
	<-never
}

func (g *guarded) lock() { g.mu.Lock() }

func holdByHelper(g *guarded, l *lock) {
	g.lock()
	defer g.mu.Unlock()
	l.holds()
	<-never
}

func holdUnless(g *guarded, not bool, l *lock) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if not {
		return
	}
	g.n++
	l.holds()
	<-never
}

// others: a holder who has used another lock, one who locks by a method of his own, and one who might
// have returned before.
func others() {
	g, l := newGuarded("others", "likely")
	go holdAndUse(g, &guarded{}, l)
	holding(l, 1)
	crowdFor(g, l, 2)
	g, l = newGuarded("helper", "likely")
	go holdByHelper(g, l)
	holding(l, 1)
	crowdFor(g, l, 2)
	g, l = newGuarded("unless", "likely")
	holdUnless(g, true, l)
	go holdUnless(g, false, l)
	holding(l, 1)
	crowdFor(g, l, 2)
}

// onces: the first one works, the others wait for him; and one who needs what he is about to make.
func onces() {
	z := &lazy{name: "slow"}
	lazies = append(lazies, z)
	l := state(unsafe.Pointer(&z.once), "Mutex", "main.lazy.once.m", "likely")
	l.Address = addressOf(mutexOf(&z.once))
	go z.once.Do(func() {
		l.holds()
		<-never
	})
	holding(l, 1)
	for i := 0; i < 4; i++ {
		go func() {
			l.waits()
			z.once.Do(func() {})
		}()
	}
	settleAt(l, 4)
	y := &lazy{name: "itself"}
	lazies = append(lazies, y)
	k := state(unsafe.Pointer(&y.once), "Mutex", "main.lazy.once.m", "likely")
	k.Address = addressOf(mutexOf(&y.once))
	go y.once.Do(func() {
		k.holds()
		k.waits()
		y.once.Do(func() {})
	})
	settleAt(k, 1)
	said.Deadlocks = append(said.Deadlocks, circle{"likely", []int{k.Holders[0]}})
}

// mutexOf returns the mutex behind the number that a Once begins with.
func mutexOf(o *sync.Once) unsafe.Pointer {
	return unsafe.Add(unsafe.Pointer(o), unsafe.Sizeof(*o)-unsafe.Sizeof(sync.Mutex{}))
}

// groupsOfErrors waits for workers of a group.
func groupsOfErrors() {
	g := &group{cancel: func() {}}
	runs = append(runs, g)
	l := state(unsafe.Pointer(&g.wg), "WaitGroup", "main.group.wg", "possible")
	for i := 0; i < 3; i++ {
		g.run(func() {
			l.holds()
			<-never
		})
	}
	holding(l, 3)
	go func() {
		l.waits()
		g.wg.Wait()
		g.cancel()
	}()
	settleAt(l, 1)
}

// files: one writes to a full pipe, the others wait for him.
func files() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	pipes = append(pipes, r, w)
	// os.File is a pointer to a file, which begins with an internal/poll.FD, and that with a
	// fdMutex: state uint64, rsema, wsema uint32
	sema := unsafe.Add(*(*unsafe.Pointer)(unsafe.Pointer(w)), 12)
	l := state(sema, "file", "os.file.pfd.fdmu.wsema", "")
	go w.Write(make([]byte, 1<<20))
	settle()
	for i := 0; i < 3; i++ {
		go func() {
			l.waits()
			w.Write([]byte("x"))
		}()
	}
	settleAt(l, 3)
}

func readThenWrite(a, b *table, la, lb *lock, here *atomic.Int32) {
	a.RLock()
	defer a.RUnlock()
	la.holds()
	here.Add(1)
	for here.Load() < 2 {
		runtime.Gosched()
	}
	lb.waits()
	b.Lock()
	defer b.Unlock()
	b.rows["x"]++
}

// readersThatWrite each read what the other one wants to write.
func readersThatWrite() {
	var here atomic.Int32
	var locks [2]*lock
	var of [2]*table
	for i := range of {
		of[i] = &table{rows: map[string]int{}}
		tables = append(tables, of[i])
		locks[i] = state(unsafe.Pointer(&of[i].RWMutex), "RWMutex", "main.table.RWMutex", "likely")
	}
	for i := range of {
		go readThenWrite(of[i], of[1-i], locks[i], locks[1-i], &here)
	}
	settleAt(locks[0], 1)
	settleAt(locks[1], 1)
	said.Deadlocks = append(said.Deadlocks,
		circle{"likely", []int{locks[0].Holders[0], locks[1].Holders[0]}})
}
