// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import "iter"

var nexts []func() (int, bool)

func numbers(yield func(int) bool) {
	for i := 0; yield(i); i++ {
	}
}

// startCoroutines leaves iterators in the middle.
func startCoroutines() {
	for i := 0; i < each; i++ {
		next, _ := iter.Pull(numbers)
		next()
		nexts = append(nexts, next)
	}
}
