// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

//go:debug asynctimerchan=0
package main

import (
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

var heldTicker *time.Ticker

// waitForTimer keeps the channel that it waits for, which leads to its timer, and the other way.
func waitForTimer() {
	p := own("go main.waitForTimer")
	t := time.NewTimer(time.Hour)
	truth.Holder("timer Timer & go main.waitForTimer").Has(unsafe.Pointer(t))
	hasTimes("timer Timer & go main.waitForTimer", t.C)
	truth.Parked()
	<-t.C
	use(p)
}

func hasTimes(h truth.Holder, c <-chan time.Time) {
	truth.HasChan(h, *(*chan time.Time)(unsafe.Pointer(&c)))
}

// buildChanTimers: a timer with a channel stands in a heap only while somebody waits for it.
func buildChanTimers() {
	t := time.NewTimer(time.Hour)
	truth.Plant(unsafe.Pointer(t))
	heldTicker = time.NewTicker(time.Hour)
	truth.Holder("main.heldTicker").Has(unsafe.Pointer(heldTicker))
	hasTimes("main.heldTicker", heldTicker.C)
	truth.Stay(waitForTimer)
}
