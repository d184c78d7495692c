// SPDX-License-Identifier: Apache-2.0

//go:build go1.24 && !go1.25 && goexperiment.synctest

package main

import "testing/synctest"

func run(f func()) { synctest.Run(f) }
