// SPDX-License-Identifier: Apache-2.0

//go:build go1.23

package main

import (
	"strconv"
	"unique"
)

type place struct {
	host string
	port int
}

var (
	names  [each]unique.Handle[string]
	places [each]unique.Handle[place]
)

func host(i int) string { return "a host with a long name, number " + strconv.Itoa(i) }

func buildHandles() {
	for i := range names {
		names[i] = unique.Make(host(i))
		places[i] = unique.Make(place{host(i), i % 7})
	}
}

// plantHandles makes no handle: a map of handles that grows leaves garbage that nobody can name.
func plantHandles() {
	for i := range names {
		places[i] = unique.Make(place{names[i].Value(), i % 7})
	}
}
