// SPDX-License-Identifier: Apache-2.0

// Package oddv2 has a dot in the last element of its import path, which symbols and DWARF escape.
package oddv2

// Part is nothing special but for its full name.
type Part struct {
	Next *Part
	N    [2]int
}
