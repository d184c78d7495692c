// SPDX-License-Identifier: Apache-2.0

// # A mutex that nobody unlocks
//
// An error path returns without the unlock. Whoever comes next waits, and everybody behind.
//
//	goheap suspects -n 1
//	goheap locks
//
// Fix: `defer mu.Unlock()` right behind the lock.
package main

import (
	"errors"
	"sync"

	"goheap.example/leaks/die"
)

type account struct {
	mu      sync.Mutex
	balance int
}

var errPoor = errors.New("not enough")

func (a *account) take(n int, receipt []byte) error {
	a.mu.Lock()
	if a.balance < n {
		return errPoor
	}
	a.balance -= n
	receipt[0] = 1
	a.mu.Unlock()
	return nil
}

func main() {
	a := &account{balance: 3}
	for range 100 {
		go func() {
			receipt := make([]byte, 32<<10)
			for a.take(1, receipt) == nil {
			}
		}()
	}
	die.Now()
	a.balance++
}
