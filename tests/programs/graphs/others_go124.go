// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package main

import (
	"runtime"
	"weak"
)

func addOthers(p *node) {
	weak.Make(p)
	runtime.AddCleanup(p, func(n int) { sum += n }, p.key)
}
