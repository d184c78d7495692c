// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import (
	"unique"

	"goheap.test/programs/truth"
)

func stateTimers(n int) {
	const atLeast = 97 // bytes of runtime.timeTimer
	truth.Objects("runtime.timeTimer", 2*n, atLeast, true).AtLeast()
}

type place struct {
	host string
	port int
}

var places []unique.Handle[place]

func buildUnique(n int) {
	for i := 0; i < n; i++ {
		places = append(places, unique.Make(place{"host", i}))
	}
	truth.Objects("main.place", n, 24, true)
}
