// SPDX-License-Identifier: Apache-2.0

// What is left to tell the type of an object: a slice that has been emptied, a string cut to
// nothing, a pointer to the embedded struct with which it begins, a variable of which the compiler
// keeps one word.
package main

import (
	"runtime"
	"strings"
	"sync"
	"time"

	"goheap.test/programs/truth"
)

const (
	nQueues  = 40
	nTexts   = 30
	nDerived = 20
	nWaiting = 10
	length   = 50
	textSize = 100
)

type (
	queued struct {
		n    [4]int
		next *queued
	}
	queue struct {
		name string
		list []*queued
	}
	// base and derived are in one size class, 192 bytes, and differ in the last word.
	base struct {
		p *queued
		n [22]int
	}
	derived struct {
		base
		last *int
	}
	waiter struct {
		mu   sync.Mutex
		size uint16
		from uint16
		sums map[int]uint16
		more chan int
	}
)

var (
	queues [nQueues]*queue
	texts  [nTexts]*string
	bases  [nDerived]*base
	wholes [nDerived]any
	ready  sync.WaitGroup
)

// next takes what is first in the queue.
func (q *queue) next() *queued {
	first := q.list[0]
	q.list = q.list[1:]
	return first
}

//go:noinline
func sum(list []uint16, from uint16) (n uint16) {
	for i := range list {
		list[i] += from
		n += list[i]
	}
	return n
}

// wait keeps the arrays of two slices, and their length as the field that it came from.
func wait(w *waiter) {
	list := make([]uint16, w.size)
	kept := make([]uint16, w.size)
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	ready.Done()
	for {
		select {
		case <-ticker.C:
			func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				for k, v := range w.sums {
					w.sums[k] = sum(list, w.from)
					kept[k] = v
					w.sums[k] += sum(kept[:k], w.from)
				}
			}()
		case <-w.more:
			return
		}
	}
}

func main() {
	for i := range queues {
		queues[i] = &queue{name: "queue"}
		queues[i].list = append(queues[i].list, new(queued))
		queues[i].next()
	}
	for i := range texts {
		text := strings.Repeat("x", textSize)
		text = text[len(text):]
		texts[i] = &text
	}
	for i := range bases {
		d := new(derived)
		bases[i], wholes[i] = &d.base, d
	}
	for i := 0; i < nWaiting; i++ {
		ready.Add(1)
		go wait(&waiter{size: length, from: 1, more: make(chan int)})
	}
	ready.Wait()
	for i := 0; i < nWaiting; i++ {
		runtime.Gosched()
	}
	truth.Die("leftovers")
}
