// SPDX-License-Identifier: Apache-2.0

// # The receiver gave up
//
// A handler asks a backend on a goroutine of its own and waits for the answer or a deadline. When the
// deadline wins, nobody receives any more: the goroutine waits in its send for ever, with the answer.
//
//	goheap suspects -n 1
//	goheap leaks
//
// Fix: give the channel room for the answer, `make(chan []byte, 1)`: then the send never waits.
package main

import (
	"time"

	"goheap.example/leaks/die"
)

func ask() []byte {
	time.Sleep(10 * time.Millisecond)
	return make([]byte, 64<<10)
}

func handle() {
	answer := make(chan []byte)
	go func() { answer <- ask() }()
	select {
	case <-answer:
	case <-time.After(time.Millisecond):
	}
}

func main() {
	for range 100 {
		handle()
	}
	die.Now()
}
