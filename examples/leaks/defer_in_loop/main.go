// SPDX-License-Identifier: Apache-2.0

// # A defer in a loop
//
// Deferred calls run when the function returns, not when the turn of the loop ends. A loop that runs
// as long as the program piles them up, with what each captured.
//
//	goheap suspects -n 1
//	goheap defers -n 1
//
// Fix: make the body of the loop a function, so that the defer runs at its end.
package main

import "goheap.example/leaks/die"

type file struct{ block []byte }

func (f *file) close() { f.block = nil }

func consume(names chan int) {
	for range names {
		f := &file{block: make([]byte, 16<<10)}
		defer f.close()
	}
}

func main() {
	names := make(chan int)
	go consume(names)
	for i := range 1000 {
		names <- i
	}
	die.Now()
	names <- 0
}
