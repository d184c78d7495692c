// SPDX-License-Identifier: Apache-2.0

// Dies in the way that its argument names. What the runtime writes is the truth about it.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

type failure struct{ code int }

func (f *failure) Error() string { return fmt.Sprintf("failure \x1b[31m%d", f.code) }

func writeTogether() {
	runtime.GOMAXPROCS(4) // whatever the machine has: a thread is interrupted within a write
	m := map[int]int{}
	for i := 0; i < 4; i++ {
		go func() {
			for {
				m[1]++
			}
		}()
	}
	time.Sleep(time.Minute)
}

func again() {
	defer func() { panic(fmt.Sprint("again: ", recover())) }()
	panic("first")
}

var (
	none *int
	one  = []int{1}
	kept [][]byte
)

func main() {
	switch os.Args[1] {
	case "map":
		writeTogether()
	case "unlock":
		new(sync.Mutex).Unlock()
	case "deadlock":
		<-make(chan int)
	case "memory":
		for {
			kept = append(kept, make([]byte, 1<<40))
		}
	case "error":
		panic(&failure{42})
	case "string":
		panic(errors.New("plain"))
	case "int":
		panic(-42)
	case "nil":
		*none = 1
	case "index":
		one[len(os.Args)]++
	case "again":
		again()
	}
}
