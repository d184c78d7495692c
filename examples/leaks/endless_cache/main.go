// SPDX-License-Identifier: Apache-2.0

// # A cache without an end
//
// Every user who was ever seen stays in the map.
//
//	goheap suspects -n 1
//	goheap retained --by global -n 1
//	goheap dom main.sessions -n 3
//
// Fix: a limit and eviction (an LRU), or expiry.
package main

import (
	"strconv"

	"goheap.example/leaks/die"
)

type session struct {
	user string
	page []byte
}

var sessions = map[string]*session{}

func see(user string) {
	sessions[user] = &session{user: user, page: make([]byte, 2<<10)}
}

func main() {
	for i := range 5000 {
		see("u" + strconv.Itoa(i))
	}
	die.Now()
}
