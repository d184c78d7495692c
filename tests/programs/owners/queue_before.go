// SPDX-License-Identifier: Apache-2.0

//go:build go1.24 && !go1.25

package main

// Cleanups wait with finalizers, for the goroutine that buildQueue has blocked.
const waiting = "finalizer queue"

func dropFirst(*finalized) {}

// nStarted is how many cleanups begin to run.
const nStarted = 0
