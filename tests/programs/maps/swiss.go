// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package main

// oldMaps counts the overflow pointer that ended a bucket; groups have none.
const oldMaps = 0
