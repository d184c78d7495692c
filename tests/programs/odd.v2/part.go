// SPDX-License-Identifier: Apache-2.0

// Package oddv2 has a dot in the last element of its import path, which symbols and DWARF escape.
package oddv2

// Part is nothing special but for its full name.
type Part struct {
	Next *Part
	N    [2]int
}

// Bound is held by method values only.
type Bound struct {
	N    [3]int
	Next *Bound
}

// Sum makes method values.
func (b *Bound) Sum() int { return b.N[0] }

// Counter captures a variable.
//
//go:noinline
func Counter(b *Bound) func() int {
	return func() int { return b.N[1] }
}
