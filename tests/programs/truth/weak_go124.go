// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package truth

import (
	"unsafe"
	"weak"
)

var weakly [4]weak.Pointer[junkSmall]

// plantWeak drops objects to which only weak pointers lead.
func plantWeak() {
	for i := range weakly {
		p := new(junkSmall)
		weakly[i] = weak.Make(p)
		if i%2 == 0 {
			Plant(unsafe.Pointer(p))
		} else {
			hold(unsafe.Pointer(p))
		}
	}
}
