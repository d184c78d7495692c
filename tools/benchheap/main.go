// SPDX-License-Identifier: Apache-2.0

// Command benchheap builds a seeded heap of a given size and holds it. The kind heap is laid out as
// a program allocates it; in the unkind one, neighbours in memory are not neighbours in the graph;
// both have so many objects. The third has so many goroutines, each with a few objects, and
// the fourth ten timers more for each. It reads words on stdin: "gc" forces a collection and prints
// its mark CPU in nanoseconds, "die" leaves a core, "end" exits.
package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
)

var (
	kindHeap   *kindRoot
	unkindHeap *unkindRoot
	garbage    []any
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: benchheap kind|unkind|goroutines|stuck N SEED")
		os.Exit(2)
	}
	n, _ := strconv.Atoi(os.Args[2])
	seed, _ := strconv.Atoi(os.Args[3])
	random := rand.New(rand.NewSource(int64(seed)))
	debug.SetGCPercent(-1)
	switch os.Args[1] {
	case "kind":
		kindHeap = makeKind(random, n)
	case "unkind":
		unkindHeap = makeUnkind(random, n)
	case "goroutines":
		makeGoroutines(random, n)
	case "stuck":
		makeStuck(random, n)
	default:
		fmt.Fprintln(os.Stderr, "benchheap: no such heap:", os.Args[1])
		os.Exit(2)
	}
	runtime.GC()
	runtime.GC()
	state()
	serve(random, n)
}

// state prints how many objects the last collection left.
func state() {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Printf("objects %d bytes %d\n", stats.HeapObjects, stats.HeapAlloc)
}

func serve(random *rand.Rand, n int) {
	words := bufio.NewScanner(os.Stdin)
	for words.Scan() {
		switch words.Text() {
		case "gc":
			before := markCPU()
			runtime.GC()
			fmt.Printf("gc %d\n", int64((markCPU()-before)*1e9))
		case "die":
			litter(random, n/10)
			debug.SetTraceback("crash")
			panic("a core, please")
		case "end":
			return
		}
	}
}

// markCPU is what the collector spent on marking so far: dedicated, idle and assist, in seconds.
func markCPU() float64 {
	samples := []metrics.Sample{
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
	}
	metrics.Read(samples)
	return samples[0].Value.Float64() + samples[1].Value.Float64() + samples[2].Value.Float64()
}

// litter leaves n objects of garbage in the free slots of the heap.
func litter(random *rand.Rand, n int) {
	for i := 0; i < n; i++ {
		switch random.Intn(4) {
		case 0:
			drop(&node32{tag: uint64(i)})
		case 1:
			drop(&node48{tag: uint64(i)})
		case 2:
			drop(&leaf16{a: uint64(i)})
		default:
			drop(make([]byte, 24))
		}
	}
	garbage = nil
}

//go:noinline
func drop(v any) {
	if len(garbage) > 1000 {
		garbage = garbage[:0]
	}
	garbage = append(garbage, v)
}
