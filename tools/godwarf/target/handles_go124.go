// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package main

import (
	"fmt"
	"runtime"
	"unique"
	"weak"
)

func handles(n *node) {
	runtime.AddCleanup(n, func(int) {}, 1)
	fmt.Println(weak.Make(n).Value(), unique.Make("job").Value())
}
