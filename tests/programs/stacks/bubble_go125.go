// SPDX-License-Identifier: Apache-2.0

//go:build go1.25

package main

import (
	"sync"
	"testing"
	"testing/synctest"
)

// startBubble blocks goroutines in a bubble of testing/synctest, which one that waits for something
// outside keeps from being idle.
func startBubble() {
	outside := make(chan int)
	inBubble := func(t *testing.T) {
		receive, send := make(chan int), make(chan string)
		var group sync.WaitGroup
		group.Add(1)
		start(each, func() { take(receive) })
		start(each, func() { put(send, "x") })
		start(each, func() { selectOne(receive, nil) })
		start(each, func() { ready(); group.Wait() })
		start(1, func() { take(outside) })
		start(1, func() { ready(); synctest.Wait() })
		<-outside
	}
	go testing.Main(func(string, string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "bubble", F: func(t *testing.T) { synctest.Test(t, inBubble) }}},
		nil, nil)
}
