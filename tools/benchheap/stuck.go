// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math/rand"
	"sync"
	"time"
)

// What is held so that somebody could stop it.
type session struct {
	id      int
	timeout *time.Timer
	refresh *time.Ticker
}

var (
	sessions []*session
	contexts []context.Context
	cancels  []context.CancelFunc
)

// makeStuck starts n goroutines that wait as those of makeGoroutines do, each with a pending defer,
// and ten timers for each: seven of time.AfterFunc, of which two are dropped, a timer and a ticker
// that nobody waits for, and the deadline of a context.
func makeStuck(random *rand.Rand, n int) {
	gate.Lock()
	var started sync.WaitGroup
	started.Add(n)
	for i := 0; i < n; i++ {
		r := &request{id: i, body: make([]byte, 32), user: &user{name: "somebody"}}
		r.user.friends = []*user{{name: "a friend"}, r.user}
		r.done = make(chan struct{})
		go work(r, random.Intn(4), &started)
		makeTimers(random, i)
	}
	started.Wait()
}

func work(r *request, way int, started *sync.WaitGroup) {
	buffer := make([]byte, 64)
	defer func() { buffer[0] = byte(r.id) }()
	handle(r, way, started)
}

func makeTimers(random *rand.Rand, id int) {
	after := func() time.Duration { return time.Hour + time.Duration(random.Intn(1e9)) }
	for k := 0; k < 7; k++ {
		s := &session{id: id}
		s.timeout = time.AfterFunc(after(), func() { s.id++ })
		if k >= 2 {
			sessions = append(sessions, s)
		}
	}
	sessions = append(sessions,
		&session{id: id, timeout: time.NewTimer(after()), refresh: time.NewTicker(after())})
	late, cancel := context.WithTimeout(context.Background(), after())
	contexts, cancels = append(contexts, late), append(cancels, cancel)
}
