// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

func each(yield func(int) bool) {
	defer func() { sum++ }()
	for i := 0; i < 30; i++ {
		if !yield(i) {
			return
		}
	}
}

// rangeOver defers in the body of a range over a function: the defers are of rangeOver.
func rangeOver() {
	for i := range each {
		p := newItem()
		defer func() { use(p) }()
		if i == 24 {
			state(Deferred{"main.rangeOver", "main.rangeOver", here() - 2, "range-over-func", 25, 25, 8 + itemSlot,
				25 * itemSlot, false, "p *main.item"})
			state(Deferred{"main.each.func1", "main.each", 8, "open-coded", 1, 1, 0, 0, false, ""})
			park()
		}
	}
}

func ranging() { stay(rangeOver) }
