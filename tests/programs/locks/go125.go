// SPDX-License-Identifier: Apache-2.0

//go:build go1.25

package main

import (
	"sync"
	"unsafe"
)

// workersByGo are started by the WaitGroup itself.
func workersByGo() {
	wg := new(sync.WaitGroup)
	groups = append(groups, wg)
	l := state(unsafe.Pointer(wg), "WaitGroup", "sync.WaitGroup", "likely")
	for i := 0; i < 3; i++ {
		wg.Go(func() {
			l.holds()
			<-never
		})
	}
	holding(l, 3)
	go func() {
		l.waits()
		wg.Wait()
	}()
	settleAt(l, 1)
}
