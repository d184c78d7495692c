// SPDX-License-Identifier: Apache-2.0

package main

import "unsafe"

type (
	inGlobalStruct struct {
		id   int
		self *inGlobalStruct
	}
	inPointerSlice struct{ a, b, c int }
	inValueSlice   struct {
		name string
		at   [2]int
	}
	inShortenedSlice struct {
		next *inShortenedSlice
		n    [4]int
	}
	inPointerArray struct{ n [5]uint32 }
	inNamedSlice   struct{ x, y float64 }
	namedSlice     []*inNamedSlice
	behindPointers struct{ n [6]int }
	inList         struct {
		next *inList
		n    int
	}
	inDoublyLinked struct {
		next, prev *inDoublyLinked
		value      *ofDoublyLinked
	}
	ofDoublyLinked struct{ n [3]int }
	inTree         struct {
		left, right *inTree
		key         string
	}
	embedded struct {
		n     [3]int
		owner *outerValue
	}
	outerValue struct {
		embedded
		label string
	}
	embeddedPointer struct{ n [7]int }
	outerPointer    struct {
		*embeddedPointer
		n int
	}
	pairOf[K comparable, V any] struct {
		key   K
		value V
		next  *pairOf[K, V]
	}
	ofPair        struct{ n [9]int }
	treeOf[T any] struct {
		value       T
		left, right *treeOf[T]
	}
	ofTree          struct{ n [10]int }
	stackOf[T any]  struct{ items []T }
	ofStack         struct{ n [11]int }
	number          interface{ ~int | ~uint16 }
	sumOf[N number] struct {
		terms []N
		below *sumOf[N]
	}
	term            uint16
	behindAnonymous struct{ n [12]int }
	matrixOf        struct{ n [3]int }
	inRows          struct{ next *inRows }
	inArrayField    struct{ n [13]int }
	arrayField      struct {
		slots [4]*inArrayField
		count int
	}
	behindUnion struct{ n [14]int }
	throughLink struct {
		link  *throughLink
		embed interface{ Sum() int }
	}
	viaEmbedded struct{ n [15]int }
	withMethod  struct{ target *viaEmbedded }
)

func (w withMethod) Sum() int { return w.target.n[0] }

var (
	registry struct {
		name  string
		first *inGlobalStruct
		inner struct{ all [3]*inGlobalStruct }
	}
	pointerSlice []*inPointerSlice
	valueSlice   []inValueSlice
	whole, short []inShortenedSlice
	pointerArray [7]*inPointerArray
	named        namedSlice
	pointers     [6]**behindPointers
	linked       *inList
	doubly       *inDoublyLinked
	tree         *inTree
	outers       []*outerValue
	outers2      [4]*outerPointer
	pairs        *pairOf[string, *ofPair]
	trees        *treeOf[*ofTree]
	stacks       [3]*stackOf[*ofStack]
	sums         *sumOf[term]
	anonymous    *struct {
		first  int
		second *behindAnonymous
	}
	matrix      [][]*matrixOf
	rows        [3][]inRows
	fields      *arrayField
	union       unsafe.Pointer
	throughLnk  *throughLink
	emptyStruct *struct{}
)

func buildVariables() {
	registry.first = &inGlobalStruct{id: 1}
	registry.first.self = registry.first
	for i := range registry.inner.all {
		registry.inner.all[i] = &inGlobalStruct{id: i}
	}
	made[inGlobalStruct](4)

	pointerSlice = make([]*inPointerSlice, 9)
	for i := range pointerSlice {
		pointerSlice[i] = &inPointerSlice{a: i}
	}
	made[inPointerSlice](9)
	arrays[*inPointerSlice]("[]*main.inPointerSlice", 1, 9)

	valueSlice = make([]inValueSlice, 5, 8)
	arrays[inValueSlice]("[]main.inValueSlice", 1, 8)

	whole = make([]inShortenedSlice, 6)
	short = whole[2:4]
	whole[3].next = &inShortenedSlice{}
	arrays[inShortenedSlice]("[]main.inShortenedSlice", 1, 6)
	made[inShortenedSlice](1)

	for i := range pointerArray {
		pointerArray[i] = &inPointerArray{}
	}
	made[inPointerArray](7)

	named = namedSlice{{x: 1}, {y: 2}}
	made[inNamedSlice](2)
	arrays[*inNamedSlice]("[]*main.inNamedSlice", 1, 2)

	for i := range pointers {
		p := &behindPointers{}
		pointers[i] = &p
	}
	made[behindPointers](6)
	made[*behindPointers](6)

	for i := 0; i < 30; i++ {
		linked = &inList{linked, i}
	}
	made[inList](30)

	doubly = &inDoublyLinked{value: &ofDoublyLinked{}}
	doubly.next, doubly.prev = doubly, doubly
	for i := 0; i < 10; i++ {
		e := &inDoublyLinked{doubly.next, doubly, &ofDoublyLinked{}}
		doubly.next.prev = e
		doubly.next = e
	}
	made[inDoublyLinked](11)
	made[ofDoublyLinked](11)

	tree = growTree(4)
	made[inTree](15)

	for i := 0; i < 3; i++ {
		o := &outerValue{label: "outer"}
		o.owner = o
		outers = append(outers, o)
	}
	made[outerValue](3)
	for i := range outers2 {
		outers2[i] = &outerPointer{&embeddedPointer{}, i}
	}
	made[outerPointer](4)
	made[embeddedPointer](4)

	for i := 0; i < 5; i++ {
		pairs = &pairOf[string, *ofPair]{"pair", &ofPair{}, pairs}
	}
	made[pairOf[string, *ofPair]](5)
	made[ofPair](5)
	for i := 0; i < 6; i++ {
		trees = insert(trees, &ofTree{})
	}
	made[treeOf[*ofTree]](6)
	made[ofTree](6)
	for i := range stacks {
		stacks[i] = &stackOf[*ofStack]{}
		for j := 0; j < 4; j++ {
			stacks[i].push(&ofStack{})
		}
	}
	made[stackOf[*ofStack]](3)
	made[ofStack](12)
	arrays[*ofStack]("[]*main.ofStack", 3, 4)
	for i := 0; i < 7; i++ {
		sums = &sumOf[term]{make([]term, 40), sums}
	}
	made[sumOf[term]](7)
	arrays[term]("[]main.term", 7, 40)

	anonymous = &struct {
		first  int
		second *behindAnonymous
	}{1, &behindAnonymous{}}
	made[behindAnonymous](1)
	made[struct {
		first  int
		second *behindAnonymous
	}](1)

	for i := 0; i < 3; i++ {
		matrix = append(matrix, []*matrixOf{{}, {}, {}, {}, {}})
	}
	made[matrixOf](15)
	arrays[*matrixOf]("[]*main.matrixOf", 3, 5)
	arrays[[]*matrixOf]("[][]*main.matrixOf", 1, 4)
	for i := range rows {
		rows[i] = make([]inRows, 10)
		rows[i][4].next = &rows[i][0]
	}
	arrays[inRows]("[]main.inRows", 3, 10)

	fields = &arrayField{slots: [4]*inArrayField{{}, nil, {}, {}}}
	made[arrayField](1)
	made[inArrayField](3)

	type behindNumber struct {
		n [80]int
		p *behindUnion
	}
	union = unsafe.Pointer(&behindNumber{p: &behindUnion{}})
	made[behindNumber](1)
	made[behindUnion](1).Sure()

	throughLnk = &throughLink{embed: withMethod{&viaEmbedded{}}}
	throughLnk.link = &throughLink{embed: &withMethod{&viaEmbedded{}}}
	made[throughLink](2)
	made[viaEmbedded](2)
	made[withMethod](1)

	emptyStruct = &struct{}{}
}

func growTree(depth int) *inTree {
	if depth == 0 {
		return nil
	}
	return &inTree{growTree(depth - 1), growTree(depth - 1), "key"}
}

func insert[T any](t *treeOf[T], value T) *treeOf[T] {
	if t == nil {
		return &treeOf[T]{value: value}
	}
	t.left, t.right = t.right, insert(t.left, value)
	return t
}

func (s *stackOf[T]) push(v T) { s.items = append(s.items, v) }

func plantVariables() {
	garbageOf[inGlobalStruct]()
	garbageOf[inPointerSlice]()
	garbageOf[[8]inValueSlice]()
	garbageOf[inPointerArray]()
	garbageOf[behindPointers]()
	garbageOf[inList]()
	garbageOf[inDoublyLinked]()
	garbageOf[inTree]()
	garbageOf[outerValue]()
	garbageOf[embeddedPointer]()
	garbageOf[pairOf[string, *ofPair]]()
	garbageOf[treeOf[*ofTree]]()
	garbageOf[ofStack]()
	garbageOf[sumOf[term]]()
	garbageOf[behindAnonymous]()
	garbageOf[matrixOf]()
	garbageOf[inRows]()
	garbageOf[arrayField]()
	garbageOf[behindUnion]()
	garbageOf[viaEmbedded]()
}
