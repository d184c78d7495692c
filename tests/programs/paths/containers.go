// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"unsafe"
)

type (
	point struct{ x, y int }
	wide  struct {
		n [20]int
		p *leaf
	}
	headerLine struct {
		text string
		next *leaf
	}
)

var (
	big      map[int]*leaf
	growing  map[int]*leaf
	byPoint  map[point]*leaf
	wides    map[string]wide
	nested   map[string]map[int]*leaf
	headers  map[string][]headerLine
	inValue  map[string]struct{ a, b *leaf }
	named    map[string]int
	byBool   map[bool]*leaf
	jobs     chan *leaf
	lines    chan headerLine
	channels chan chan *leaf
)

func buildContainers() {
	big = make(map[int]*leaf)
	for i := 0; i < 3000; i++ {
		big[i] = inHeap[leaf]()
	}
	at("main.big[777]", big[777])
	at("main.big[2999]", big[2999])
	growing = make(map[int]*leaf)
	for i := 0; i < 13*64+1; i++ { // up to go1.23 it has just begun to move to more buckets
		growing[i] = inHeap[leaf]()
	}
	for i := 0; i < 13*64; i += 97 {
		at("main.growing["+strconv.Itoa(i)+"]", growing[i])
	}
	byPoint = map[point]*leaf{{1, 2}: inHeap[leaf]()}
	at("main.byPoint[{x: 1, y: 2}]", byPoint[point{1, 2}])
	wides = map[string]wide{"w": {p: inHeap[leaf]()}}
	at(`main.wides["w"].p`, wides["w"].p)
	nested = map[string]map[int]*leaf{"a": {7: inHeap[leaf]()}}
	at(`main.nested["a"][7]`, nested["a"][7])
	headers = map[string][]headerLine{"h": {{}, {next: inHeap[leaf]()}}}
	at(`main.headers["h"][1].next`, headers["h"][1].next)
	inValue = map[string]struct{ a, b *leaf }{"v": {b: inHeap[leaf]()}}
	at(`main.inValue["v"].b`, inValue["v"].b)
	key := text("key")
	named = map[string]int{key: 1}
	at(`main.named["key."].(key)`, unsafe.StringData(key))
	byBool = map[bool]*leaf{true: inHeap[leaf]()}
	at("main.byBool[true]", byBool[true])

	jobs = make(chan *leaf, 4)
	for i := 0; i < 3; i++ {
		jobs <- nil
	}
	<-jobs
	<-jobs
	jobs <- at("main.jobs.<-[1]", inHeap[leaf]())
	jobs <- at("main.jobs.<-[2]", inHeap[leaf]())
	lines = make(chan headerLine, 2)
	lines <- headerLine{next: at("main.lines.<-[0].next", inHeap[leaf]())}
	channels = make(chan chan *leaf, 1)
	inner := make(chan *leaf, 1)
	inner <- at("main.channels.<-[0].<-[0]", inHeap[leaf]())
	channels <- inner
}
