// SPDX-License-Identifier: Apache-2.0

//go:build go1.25

package truth

// ChanBytes is the size of a channel without its buffer. It grew by its synctest bubble.
const ChanBytes = 112
