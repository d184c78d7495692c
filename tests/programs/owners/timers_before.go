// SPDX-License-Identifier: Apache-2.0

//go:build !go1.23

package main

import (
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

var heldTicker *time.Ticker

// waitForTimer keeps the channel that it waits for. The rest of the timer nobody else has.
func waitForTimer() {
	p := own("go main.waitForTimer")
	t := time.NewTimer(time.Hour)
	truth.Holder("timer Timer#1").Has(unsafe.Pointer(t))
	hasTimes("timer Timer & go main.waitForTimer", t.C)
	truth.Parked()
	<-t.C
	use(p)
}

func hasTimes(h truth.Holder, c <-chan time.Time) {
	truth.HasChan(h, *(*chan time.Time)(unsafe.Pointer(&c)))
}

// buildChanTimers: whatever its channel, a timer stands in its heap until it fires.
func buildChanTimers() {
	t := time.NewTimer(time.Hour)
	truth.Holder("timer Timer#2").Has(unsafe.Pointer(t))
	hasTimes("timer Timer#2", t.C)
	dropped := time.NewTicker(time.Hour)
	truth.Holder("timer Ticker").Has(unsafe.Pointer(dropped))
	hasTimes("timer Ticker", dropped.C)
	heldTicker = time.NewTicker(time.Hour)
	truth.Holder("main.heldTicker & timer Ticker").Has(unsafe.Pointer(heldTicker))
	hasTimes("main.heldTicker & timer Ticker", heldTicker.C)
	truth.Stay(waitForTimer)
}
