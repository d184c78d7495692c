// SPDX-License-Identifier: Apache-2.0

package main

import (
	"container/heap"
	"container/list"
	"container/ring"
	"maps"
	"unsafe"

	"goheap.test/programs/truth"
)

type (
	mapValue       struct{ n [3]int }
	mapPointerKey  struct{ n [4]int }
	mapWideValue   struct{ n [20]int } // above 128 bytes it is not kept in the map
	mapWideKey     struct{ n [18]int }
	mapKeyPointer  struct{ n [6]int }
	mapKeyValue    struct{ a, b, c int }
	mapNested      struct{ n [7]int }
	mapBig         struct{ n [8]int }
	mapGrowing     struct{ n [9]int }
	mapThinned     struct{ n [10]int }
	mapCloned      struct{ n [11]int }
	mapStructValue struct {
		p *mapInStruct
		n int
	}
	mapInStruct struct{ n [12]int }
	headerLine  struct {
		text string
		n    int
	}
	header     map[string][]headerLine
	mapInValue struct {
		byName map[string]*mapInField
		n      int
	}
	mapInField   struct{ n [13]int }
	mapOfFunc    struct{ n [14]int }
	mapArrayElem struct{ n [15]int }
	mapSet       struct{ n [16]int }

	chanPointer   struct{ n [3]int }
	chanValue     struct{ p *chanInValue }
	chanInValue   struct{ n [5]int }
	chanWide      struct{ p [30]*chanInWide }
	chanInWide    struct{ n [6]int }
	chanOfChan    struct{ n [7]int }
	chanClosed    struct{ n [8]int }
	chanInterface struct{ n [9]int }
	chanUnread    struct{ a, b, c, d int }

	listValue struct{ n [3]int }
	listBoxed struct{ a, b, c int }
	ringValue struct{ n [4]int }
	heapValue struct {
		rank int
		name string
	}
	heapOf []*heapValue
)

var (
	byName     map[string]*mapValue
	byPointer  map[*mapPointerKey]int
	wideValues map[int]mapWideValue
	wideKeys   map[mapWideKey]int
	byAny      map[any]int
	nested     map[string]map[int]*mapNested
	big        map[int]*mapBig
	growing    map[int]*mapGrowing
	thinned    map[int]*mapThinned
	cloned     map[int]*mapCloned
	structs    map[int]mapStructValue
	headers    header
	inValue    mapInValue
	arraysBy   map[int][2]*mapArrayElem
	set        map[*mapSet]struct{}

	pointersCh chan *chanPointer
	valuesCh   chan chanValue
	wideCh     chan chanWide
	chans      chan chan *chanOfChan
	closed     chan *chanClosed
	anyCh      chan any
	unread     <-chan chanUnread

	values list.List
	around *ring.Ring
	queue  heapOf
)

func (h heapOf) Len() int           { return len(h) }
func (h heapOf) Less(i, j int) bool { return h[i].rank < h[j].rank }
func (h heapOf) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heapOf) Push(v any)        { *h = append(*h, v.(*heapValue)) }
func (h *heapOf) Pop() any          { return nil }

func buildMaps() {
	byName = map[string]*mapValue{"a": {}, "b": {}, "c": {}}
	made[mapValue](3)
	truth.Objects("map[string]*main.mapValue", 1, 48, true)
	byPointer = make(map[*mapPointerKey]int)
	for i := 0; i < 40; i++ {
		byPointer[&mapPointerKey{}] = i
	}
	made[mapPointerKey](40)
	wideValues, wideKeys = make(map[int]mapWideValue), make(map[mapWideKey]int)
	for i := 0; i < 5; i++ {
		wideValues[i] = mapWideValue{}
		wideKeys[mapWideKey{[18]int{i}}] = i
	}
	made[mapWideValue](5)
	made[mapWideKey](5)
	byAny = make(map[any]int)
	for i := 0; i < 6; i++ {
		byAny[&mapKeyPointer{}] = i
		byAny[mapKeyValue{a: i}] = i
	}
	made[mapKeyPointer](6).Sure()
	made[mapKeyValue](6).Sure()
	nested = make(map[string]map[int]*mapNested)
	for _, name := range []string{"one", "two", "three"} {
		nested[name] = map[int]*mapNested{1: {}, 2: {}}
	}
	made[mapNested](6)
	truth.Objects("map[int]*main.mapNested", 3, 48, true)
	truth.Objects("map[string]map[int]*main.mapNested", 1, 48, true)
	big = make(map[int]*mapBig)
	for i := 0; i < 3000; i++ {
		big[i] = &mapBig{}
	}
	made[mapBig](3000)
	growing = make(map[int]*mapGrowing)
	for i := 0; i < 13*64+1; i++ { // up to go1.23 it has just begun to move to more buckets
		growing[i] = &mapGrowing{}
	}
	made[mapGrowing](13*64 + 1)
	thinned = make(map[int]*mapThinned)
	for i := 0; i < 200; i++ {
		thinned[i] = &mapThinned{}
	}
	for i := 0; i < 200; i++ {
		if i%5 != 0 {
			delete(thinned, i)
		}
	}
	made[mapThinned](40)
	first := make(map[int]*mapCloned)
	for i := 0; i < 20; i++ {
		first[i] = &mapCloned{}
	}
	cloned = maps.Clone(first)
	made[mapCloned](20)
	structs = make(map[int]mapStructValue)
	for i := 0; i < 9; i++ {
		structs[i] = mapStructValue{&mapInStruct{}, i}
	}
	made[mapInStruct](9)
	headers = header{"a": make([]headerLine, 3), "b": make([]headerLine, 3)}
	arrays[headerLine]("[]main.headerLine", 2, 3)
	inValue.byName = map[string]*mapInField{"a": {}, "b": {}}
	made[mapInField](2)
	arraysBy = map[int][2]*mapArrayElem{1: {{}, {}}, 2: {{}, nil}}
	made[mapArrayElem](3)
	set = map[*mapSet]struct{}{{}: {}, {}: {}}
	made[mapSet](2)
}

func buildChans() {
	pointersCh = make(chan *chanPointer, 8)
	for i := 0; i < 5; i++ {
		pointersCh <- &chanPointer{}
	}
	<-pointersCh
	made[chanPointer](4)
	truth.Objects("chan *main.chanPointer buffer", 1, 8*8, true)
	valuesCh = make(chan chanValue, 4)
	valuesCh <- chanValue{&chanInValue{}}
	valuesCh <- chanValue{&chanInValue{}}
	made[chanInValue](2)
	wideCh = make(chan chanWide, 3)
	wideCh <- chanWide{[30]*chanInWide{7: {}, 29: {}}}
	made[chanInWide](2)
	truth.Objects("chan main.chanWide buffer", 1, 3*30*8, true)
	chans = make(chan chan *chanOfChan, 2)
	for i := 0; i < 2; i++ {
		inner := make(chan *chanOfChan, 3)
		inner <- &chanOfChan{}
		chans <- inner
	}
	made[chanOfChan](2)
	truth.Objects("chan *main.chanOfChan buffer", 2, 3*8, true)
	closed = make(chan *chanClosed, 2)
	closed <- &chanClosed{}
	close(closed)
	made[chanClosed](1)
	anyCh = make(chan any, 2)
	anyCh <- &chanInterface{}
	made[chanInterface](1).Sure()
	readable := make(chan chanUnread, 10)
	readable <- chanUnread{}
	unread = readable
	truth.Objects("chan main.chanUnread", 1, truth.ChanBytes+10*32, false)
}

func buildContainers() {
	buildMaps()
	buildChans()
	for i := 0; i < 4; i++ {
		values.PushBack(&listValue{})
		values.PushFront(listBoxed{a: i})
		r := ring.New(1)
		r.Value = &ringValue{}
		if around == nil {
			around = r
		} else {
			around.Link(r)
		}
		heap.Push(&queue, &heapValue{rank: -i})
	}
	made[listValue](4).Sure()
	made[listBoxed](4).Sure()
	made[ringValue](4).Sure()
	made[heapValue](4)
	arrays[*heapValue]("[]*main.heapValue", 1, 4)
	truth.Objects("container/list.Element", 8, unsafe.Sizeof(list.Element{}), true).AtLeast()
	truth.Objects("container/ring.Ring", 4, unsafe.Sizeof(ring.Ring{}), true)
}

func plantContainers() {
	garbageOf[mapValue]()
	garbageOf[mapPointerKey]()
	garbageOf[mapWideValue]()
	garbageOf[mapNested]()
	garbageOf[chanInWide]()
	garbageOf[chanOfChan]()
	garbageOf[listValue]()
	garbageOf[heapValue]()

	for i := 0; i < 10; i++ { // what it still has room for: nothing is allocated but the values
		truth.Plant(unsafe.Pointer(thinned[5*i]))
		p := &mapThinned{}
		thinned[5*i] = p
		truth.Keep(unsafe.Pointer(p))
	}
}
