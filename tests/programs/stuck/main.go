// SPDX-License-Identifier: Apache-2.0

// A little of all that waits: timers, defers, channels with queues, locks. For tests that damage it.
package main

import (
	"sync"
	"time"

	"goheap.test/programs/abort"
	"goheap.test/programs/still"
)

var (
	held  []*time.Timer
	mutex sync.Mutex
	never = make(chan int)
	queue = make(chan *[4]int)
	sum   int
)

func sleep() { time.Sleep(time.Hour) }

func receive() { sum += <-never }

func send() { queue <- new([4]int) }

func choose() {
	select {
	case v := <-never:
		sum += v
	case queue <- nil:
	case <-time.After(time.Hour):
	}
}

func lock() { mutex.Lock() }

func deferring() {
	for i := 0; i < 50; i++ {
		block := make([]byte, 100)
		defer func() { sum += len(block) }()
	}
	func() {
		defer func() { sum++ }()
		defer func() { sum += 2 }()
		receive()
	}()
}

func main() {
	mutex.Lock()
	for i := 0; i < 40; i++ {
		held = append(held, time.AfterFunc(time.Hour+time.Duration(i), func() { sum++ }))
		time.AfterFunc(time.Hour, func() { sum += i })
		for _, f := range []func(){sleep, receive, send, choose, lock} {
			go f()
		}
	}
	go deferring()
	go deferring()
	still.Wait()
	abort.InSyscall()
}
