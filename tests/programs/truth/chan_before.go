// SPDX-License-Identifier: Apache-2.0

//go:build !go1.23

package truth

// ChanBytes is the size of a channel without its buffer.
const ChanBytes = 96
