// SPDX-License-Identifier: Apache-2.0

//go:build !go1.23

package main

import "time"

type station22 struct {
	pad   [4]int
	timer time.Timer
	tail  *int
}

var copies []*station22

// copied arms the copy of a timer inside a larger object: up to go1.22 that works.
func copied(d time.Duration) {
	started.Add(1)
	t := time.AfterFunc(time.Nanosecond, func() { started.Done() })
	started.Wait()
	time.Sleep(time.Millisecond)
	s := &station22{timer: *t}
	copies = append(copies, s)
	from, to := between(d, func() { s.timer.Reset(d) })
	state(Stated{address(&s.timer), "AfterFunc", "inside", "armed", "held", "main.copies", "main.copied.", from, to, 0, 0, 0})
}
