// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package main

import (
	"time"
	"weak"
)

var weakTimer weak.Pointer[time.Timer]

// weakly leaves a weak pointer, by which the timer can be had while it is armed.
func weakly(d time.Duration) {
	hold("weak pointer", "held", "main.weakTimer", d, func(t *time.Timer) { weakTimer = weak.Make(t) })
}
