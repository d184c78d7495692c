// SPDX-License-Identifier: Apache-2.0

//go:build !go1.25 && !(go1.24 && goexperiment.synctest)

package main

func run(func()) {}
