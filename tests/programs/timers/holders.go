// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Ways to hold a timer that are easily missed: none of these timers is beyond reach.

type station struct {
	name   [5]string
	inside struct {
		n     [3]int
		timer *time.Timer
	}
}

type ring struct {
	next  *ring
	timer *time.Timer
}

type small struct {
	next *ring
	n    uint8 // and seven bytes behind it that are nobody's
}

type number64 struct {
	next *ring
	n    uintptr
}

type watch struct {
	stop func()
	pad  [2]int
}

var (
	inner    **time.Timer // into a station
	pool     sync.Pool
	ends     *ring
	number   uintptr
	numbers  []uintptr
	smalls   = map[string]*small{}
	inObject *number64
	closures = map[string]func(){}
	watcher  *watch
	boxed    any
	first    *ring
	second   *ring
	family   context.Context
)

//go:noinline
func newTimer(d time.Duration) *time.Timer {
	return time.AfterFunc(d, func() { sum++ })
}

// hold states a timer of d hours; keep puts it somewhere.
func hold(group, verdict, owner string, d time.Duration, keep func(t *time.Timer)) {
	var t *time.Timer
	from, to := between(d, func() { t = newTimer(d) })
	state(Stated{address(t), "AfterFunc", group, "armed", verdict, owner, "main.newTimer.", from, to, 0, 0, 0})
	keep(t)
}

func holders() {
	const h = time.Hour
	hold("interior pointer", "held", "main.inner", 30*h, func(t *time.Timer) {
		s := new(station)
		s.inside.timer = t
		inner = &s.inside.timer
	})
	hold("finalizer", "held", "finalizers", 32*h, func(t *time.Timer) {
		r := &ring{timer: t}
		r.next = &ring{next: r} // a circle with a finalizer is never freed
		runtime.SetFinalizer(r, func(r *ring) { r.timer.Stop() })
	})
	hold("finalizer's closure", "held", "", 33*h, func(t *time.Timer) {
		ends = new(ring)
		runtime.SetFinalizer(ends, func(*ring) { t.Stop() })
	})
	hold("number", "", "", 34*h, func(t *time.Timer) { number = uintptr(unsafe.Pointer(t)) })
	hold("number in the heap", "", "", 35*h, func(t *time.Timer) {
		numbers = append(make([]uintptr, 3, 10), uintptr(unsafe.Pointer(t)))
	})
	hold("number in an object", "", "", 47*h, func(t *time.Timer) {
		inObject = &number64{n: uintptr(unsafe.Pointer(t))}
	})
	hold("left beside a number", "unstoppable", "", 48*h, func(t *time.Timer) {
		s := new(small)
		*(*uintptr)(unsafe.Pointer(&s.n)) = uintptr(unsafe.Pointer(t))
		smalls["one"] = s
	})
	hold("number on a stack", "", "", 46*h, func(t *time.Timer) {
		parked := make(chan struct{})
		go park(uintptr(unsafe.Pointer(t)), parked)
		<-parked
	})
	hold("method value", "held", "main.closures", 36*h, func(t *time.Timer) {
		closures["stop"] = func() { t.Stop() }
	})
	hold("func in a struct", "held", "main.watcher", 37*h, func(t *time.Timer) {
		watcher = &watch{stop: func() { t.Reset(h) }}
	})
	hold("interface", "held", "main.boxed", 38*h, func(t *time.Timer) { boxed = t })
	hold("two owners", "held", "main.first and main.second", 39*h, func(t *time.Timer) {
		shared := &ring{timer: t}
		first, second = &ring{next: shared}, &ring{next: shared}
	})
	methods()
	rearms(40 * h)
	mutual(41 * h)
	weakly(43 * h)
	copied(45 * h)
	family, _ = context.WithTimeout(context.Background(), 44*h)
	from := nanotime() + int64(44*h)
	state(Stated{0, "context", "deadline of a variable", "armed", "held", "main.family", "", from - int64(time.Second), from + int64(time.Second), 0, 0, 0})
}

// park will make a pointer of the number again.
//
//go:noinline
func park(n uintptr, parked chan struct{}) {
	close(parked)
	<-never
	(*time.Timer)(unsafe.Pointer(n)).Stop()
}

type session struct{ n [100]int }

//go:noinline
func (s *session) expire() { sum += s.n[0] }

// methods are called of objects that nothing else holds.
func methods() {
	for i := 0; i < few; i++ {
		s := new(session)
		var t *time.Timer
		from, to := between(49*time.Hour, func() { t = time.AfterFunc(49*time.Hour, s.expire) })
		state(Stated{address(t), "AfterFunc", "method", "armed", "unstoppable", "", "main.(*session).expire-fm",
			from, to, 0, 800, 0})
	}
}

// pooled is there until the second collection.
func pooled() {
	hold("pool", "held", "main.pool", 31*time.Hour, func(t *time.Timer) { pool.Put(t) })
}

// rearms has dropped the timer that its callback arms again: nobody else can stop it.
func rearms(d time.Duration) {
	var t *time.Timer
	var again func()
	again = func() { t.Reset(d); sum++ }
	from, to := between(d, func() { t = time.AfterFunc(d, again) })
	state(Stated{address(t), "AfterFunc", "arms itself", "armed", "unstoppable", "", "main.rearms.", from, to, 0, 0, 0})
}

// mutual timers could stop each other.
func mutual(d time.Duration) {
	var a, b *time.Timer
	from, to := between(d, func() {
		a = time.AfterFunc(d, func() { b.Stop() })
		b = time.AfterFunc(d, func() { a.Stop() })
	})
	for _, t := range []*time.Timer{a, b} {
		state(Stated{address(t), "AfterFunc", "each other", "armed", "held", "", "main.mutual.", from, to, 0, 0, 0})
	}
}
