// SPDX-License-Identifier: Apache-2.0

// # A deferred function that captured too much
//
// The upload is long done, but the function goes on to wait, and its deferred report still refers to
// the whole body for the sake of its length.
//
//	goheap suspects -n 1
//	goheap defers -n 1
//
// Fix: capture the length, `n := len(body)`, or let the upload be a function of its own.
package main

import "goheap.example/leaks/die"

var next = make(chan int)

//go:noinline
func report(n int) { println(n) }

//go:noinline
func upload(body []byte) { body[0] = 1 }

func serve() {
	body := make([]byte, 4<<20)
	defer func() { report(len(body)) }()
	upload(body)
	<-next
}

func main() {
	for range 10 {
		go serve()
	}
	go func() { next <- 1 }()
	die.Now()
	next <- 1
}
