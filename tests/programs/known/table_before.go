// SPDX-License-Identifier: Apache-2.0

//go:build !go1.24

package main

import "goheap.test/programs/truth"

func stateTable(n int) { truth.Objects("sync.entry", n, 8, true).AtLeast() }
