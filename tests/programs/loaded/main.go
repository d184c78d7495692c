// SPDX-License-Identifier: Apache-2.0

// A server with a heap, which somebody looks at while it works: it prints the address it listens
// on, and answers each line with a line. "work" makes garbage, and replaces something old; "gc"
// collects. One goroutine is blocked all the time.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"

	"goheap.test/programs/still"
)

const (
	nKept     = 200000
	kept      = 256 // bytes of one, without pointers
	nReplaced = 200 // by one request
)

type entry struct {
	text []byte
	next *entry
}

var (
	mutex   sync.Mutex
	entries [nKept]*entry
	turn    int
	never   = make(chan int)
)

func makeEntry(i int) *entry {
	e := &entry{text: make([]byte, kept)}
	for k := range e.text {
		e.text[k] = byte(i + k)
	}
	return e
}

func work() {
	mutex.Lock()
	defer mutex.Unlock()
	for i := 0; i < nReplaced; i++ {
		turn = (turn + 7919) % nKept
		entries[turn] = makeEntry(turn)
		entries[turn].next = entries[(turn+1)%nKept]
	}
	for i := 0; i < nReplaced; i++ {
		turn = (turn + 7919) % nKept
		entries[turn].next = nil
	}
}

func blocked() { <-never }

func serve(c net.Conn) {
	defer c.Close()
	for lines := bufio.NewScanner(c); lines.Scan(); {
		switch lines.Text() {
		case "work":
			work()
		case "gc":
			runtime.GC()
		}
		fmt.Fprintln(c, "done")
	}
}

func main() {
	for i := range entries {
		entries[i] = makeEntry(i)
	}
	runtime.GC() // one that began by itself is over then: none but the asked for sees it blocked
	go blocked()
	still.Wait()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr())
	for {
		c, err := listener.Accept()
		if err != nil {
			os.Exit(1)
		}
		go serve(c)
	}
}
