// SPDX-License-Identifier: Apache-2.0

//go:build !go1.24

package main

// oldMaps counts the overflow pointer that ends a bucket.
const oldMaps = 1
