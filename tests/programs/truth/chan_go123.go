// SPDX-License-Identifier: Apache-2.0

//go:build go1.23 && !go1.25

package truth

// ChanBytes is the size of a channel without its buffer. It grew by the timer of a timer's channel.
const ChanBytes = 104
