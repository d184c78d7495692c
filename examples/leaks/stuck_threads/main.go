// SPDX-License-Identifier: Apache-2.0

// # Threads in a system call that does not come back
//
// A blocking call takes its thread along. Reads of a pipe that nobody writes to (a dead disk, a lock
// on a file) cost a thread each.
//
//	goheap suspects -n 2
//	goheap threads -n 1
//
// Fix: use what waits without a thread (os.File and net.Conn with deadlines), or limit how many calls
// run at a time.
package main

import (
	"syscall"

	"goheap.example/leaks/die"
)

func main() {
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	for range 40 {
		go func() {
			buffer := make([]byte, 128<<10)
			syscall.Read(pipe[0], buffer)
		}()
	}
	die.Now()
}
