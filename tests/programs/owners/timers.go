// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

// Timers own what they will call, unless somebody else knows them.

var (
	heldTimer *time.Timer
	heldEnd   context.Context
)

//go:noinline
func dropAfterFunc(h truth.Holder, n int) {
	captured := chain(h, n)
	f := func() { use(captured) }
	h.Has(truth.Func(&f))
	h.Has(unsafe.Pointer(time.AfterFunc(time.Hour, f)))
}

//go:noinline
func holdAfterFunc() {
	const h = "main.heldTimer & timer main.holdAfterFunc.func1"
	captured := chain(h, 4)
	f := func() { use(captured) }
	truth.Holder(h).Has(truth.Func(&f))
	heldTimer = time.AfterFunc(time.Hour, f)
	truth.Holder(h).Has(unsafe.Pointer(heldTimer))
}

type key struct{}

//go:noinline
func dropContext() {
	truth.Holder("timer context.*").Made("main.dropContext")
	ctx := context.WithValue(context.Background(), key{}, chain("timer context.*", 3))
	context.WithTimeout(ctx, time.Hour)
}

//go:noinline
func holdContext() {
	truth.Holder("main.heldEnd & timer context.*").Made("main.holdContext")
	heldEnd, _ = context.WithTimeout(context.Background(), time.Hour)
}

func buildTimers() {
	dropAfterFunc("timer main.dropAfterFunc.func1#1", 1)
	dropAfterFunc("timer main.dropAfterFunc.func1#2", 2)
	holdAfterFunc()
	dropContext()
	holdContext()
	buildChanTimers()
}
