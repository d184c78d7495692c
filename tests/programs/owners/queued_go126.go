// SPDX-License-Identifier: Apache-2.0

//go:build go1.26

package main

// Does the queue keep a cleanup while it is run?
const staysQueued = false
