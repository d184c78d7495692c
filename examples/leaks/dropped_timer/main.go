// SPDX-License-Identifier: Apache-2.0

// # A timer that nobody can stop
//
// AfterFunc returns the timer by which it can be stopped. Dropped, it runs its day to the end, and the
// session that its function captured stays that long, whether it was closed or not.
//
//	goheap suspects -n 1
//	goheap timers -n 1
//
// Fix: keep the *time.Timer in the session and stop it when the session closes.
package main

import (
	"time"

	"goheap.example/leaks/die"
)

type session struct{ data []byte }

func (s *session) expire() { s.data = nil }

func open() *session {
	s := &session{data: make([]byte, 64<<10)}
	time.AfterFunc(24*time.Hour, func() { s.expire() })
	return s
}

func main() {
	for range 200 {
		open()
	}
	die.Now()
}
