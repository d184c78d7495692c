// SPDX-License-Identifier: Apache-2.0

// This program is built and never run: it reaches the parts of the runtime whose types goheap reads,
// so that the linker keeps their DWARF.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"time"
)

var (
	counts = map[string]int{}
	queue  = make(chan *node, 2)
	guard  sync.Mutex
	ready  = sync.NewCond(&guard)
	pool   sync.Pool
	shared sync.Map
)

type node struct {
	next *node
	data []byte
}

func fill(n int) (last *node) {
	defer func() { fmt.Println(recover()) }()
	for i := 0; i < n; i++ {
		last = &node{next: last, data: make([]byte, i)}
		counts[fmt.Sprint(i)]++
		shared.Store(i, last)
		pool.Put(last)
		defer guard.Unlock()
		guard.Lock()
	}
	if n > len(os.Args) {
		panic(last)
	}
	return last
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	last := fill(len(os.Args))
	ready.Broadcast()
	runtime.SetFinalizer(last, func(*node) {})
	handles(last)
	var pinner runtime.Pinner
	pinner.Pin(last)
	defer pinner.Unpin()
	pprof.Do(ctx, pprof.Labels("job", "fill"), func(context.Context) { go func() { queue <- last }() })
	ticker := time.NewTicker(time.Second)
	select {
	case <-ctx.Done():
	case <-ticker.C:
	case <-queue:
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	debug.WriteHeapDump(2)
	runtime.MemProfile(nil, true)
	fmt.Println(stats, debug.SetGCPercent(-1), len(counts))
}
