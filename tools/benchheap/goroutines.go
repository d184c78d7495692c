// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand"
	"sync"
)

// A request that waits: what a server has many of.
type (
	request struct {
		id     int
		header map[string]string
		body   []byte
		user   *user
		done   chan struct{}
	}
	user struct {
		name    string
		friends []*user
	}
)

var (
	gate          sync.Mutex
	never, nobody = make(chan struct{}), make(chan struct{})
)

// makeGoroutines starts n goroutines, each with a graph of its own of some seven objects that only
// its stack holds, in four ways of waiting.
func makeGoroutines(random *rand.Rand, n int) {
	var started sync.WaitGroup
	gate.Lock()
	started.Add(n)
	for i := 0; i < n; i++ {
		r := &request{id: i, body: make([]byte, 32), user: &user{name: "somebody"}}
		r.user.friends = []*user{{name: "a friend"}, r.user}
		if i%16 == 0 {
			r.header = map[string]string{"Host": "example.org"}
		}
		r.done = make(chan struct{})
		go handle(r, random.Intn(4), &started)
	}
	started.Wait()
}

func handle(r *request, way int, started *sync.WaitGroup) {
	local := [2]*user{r.user, r.user.friends[0]}
	started.Done()
	switch way {
	case 0:
		<-r.done
	case 1:
		select {
		case <-r.done:
		case <-never:
		}
	case 2:
		nobody <- struct{}{}
	default:
		gate.Lock()
	}
	local[0].name = local[1].name
	r.user = local[0]
}
