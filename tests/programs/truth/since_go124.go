// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package truth

// MapParts names what holds the entries of a map.
const MapParts = "groups"

const maxNamedByHeader = 1 << 40
