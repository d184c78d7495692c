// SPDX-License-Identifier: Apache-2.0

//go:build go1.25

package main

import (
	"testing"
	"testing/synctest"
)

func run(f func()) {
	every := func(string, string) (bool, error) { return true, nil }
	test := func(t *testing.T) { synctest.Test(t, func(*testing.T) { f() }) }
	testing.Main(every, []testing.InternalTest{{Name: "Test", F: test}}, nil, nil)
}
