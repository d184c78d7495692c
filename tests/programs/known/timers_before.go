// SPDX-License-Identifier: Apache-2.0

//go:build !go1.23

package main

import (
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

func stateTimers(n int) {
	truth.Objects("time.Timer", n, unsafe.Sizeof(time.Timer{}), true)
	truth.Objects("time.Ticker", n, unsafe.Sizeof(time.Ticker{}), true)
}

func buildUnique(int) {}
