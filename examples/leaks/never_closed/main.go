// SPDX-License-Identifier: Apache-2.0

// # A range over a channel that nobody closes
//
// Workers range over a channel of jobs. The producer returns without closing it, and the workers wait
// for the next job, each with its buffer.
//
//	goheap suspects -n 1
//	goheap leaks
//
// Fix: `defer close(jobs)` in the producer.
package main

import "goheap.example/leaks/die"

func work(jobs <-chan int) {
	buffer := make([]byte, 256<<10)
	for job := range jobs {
		buffer[job] = 1
	}
}

func batch() {
	jobs := make(chan int)
	for range 4 {
		go work(jobs)
	}
	for i := range 8 {
		jobs <- i
	}
}

func main() {
	for range 20 {
		batch()
	}
	die.Now()
}
