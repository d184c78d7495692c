// SPDX-License-Identifier: Apache-2.0

//go:build !go1.24

package truth

// MapParts names what holds the entries of a map.
const MapParts = "buckets"

// Above this pointer masks may be programs, and what the allocator notes then is the mask that they
// make, without a name (runtime/type.go: maxPtrmaskBytes).
const maxNamedByHeader = 128 << 10
