// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
)

type (
	summer interface{ Sum() int }

	anyPointer struct{ n [3]int }
	anyValue   struct{ a, b, c int }
	anyScan    struct {
		name string
		n    int
	}
	methodPointer struct{ n [4]int }
	methodValue   struct{ a, b, c, d int }
	inAnySlice    struct{ n [5]int }
	inBoxedArray  struct{ n [6]int }
	inBoxedSlice  struct{ n [7]int }
	inBoxedMap    struct{ n [8]int }
	inBoxedFunc   struct{ n [9]int }
	failure       struct {
		code  int
		cause error
	}
	failureValue  struct{ code, line, column int }
	joined        struct{ n [10]int }
	pointerInside struct{ p *anyInside }
	anyInside     struct{ n [11]int }
	anyNested     struct{ inner any }
	stringer      struct{ n [12]int }
	wideBoxed     struct{ p [100]*anyOfWide }
	anyOfWide     struct{ n [13]int }
)

func (p *methodPointer) Sum() int    { return p.n[0] }
func (v methodValue) Sum() int       { return v.a }
func (f *failure) Error() string     { return "failure" }
func (f *failure) Unwrap() error     { return f.cause }
func (f failureValue) Error() string { return "failure" }
func (j *joined) Error() string      { return "joined" }
func (s *stringer) String() string   { return "stringer" }

var (
	anything   any
	boxes      [2]any
	scanBoxes  []any
	summers    [6]summer
	boxedArray any
	boxedSlice any
	boxedMap   any
	boxedFunc  any
	chain      error
	several    error
	direct     any
	deep       any
	printers   []fmt.Stringer
	wideBox    any
)

func buildInterfaces() {
	anything = &anyPointer{}
	made[anyPointer](1).Sure()
	for i := range boxes {
		boxes[i] = anyValue{a: i}
	}
	made[anyValue](2).Sure()
	scanBoxes = make([]any, 7)
	for i := range scanBoxes {
		scanBoxes[i] = anyScan{"name", i}
		if i%2 == 0 {
			scanBoxes[i] = &inAnySlice{}
		}
	}
	made[anyScan](3)
	made[inAnySlice](4)
	for i := range summers {
		summers[i] = &methodPointer{}
		if i > 3 {
			summers[i] = methodValue{a: i}
		}
	}
	made[methodPointer](4)
	made[methodValue](2)

	boxedArray = [3]*inBoxedArray{{}, nil, {}}
	made[inBoxedArray](2).Sure()
	made[[3]*inBoxedArray](1).Sure()
	boxedSlice = []*inBoxedSlice{{}, {}}
	made[inBoxedSlice](2).Sure()
	arrays[*inBoxedSlice]("[]*main.inBoxedSlice", 1, 2).Sure()
	made[[]*inBoxedSlice](1).Sure()
	boxedMap = map[int]*inBoxedMap{1: {}}
	made[inBoxedMap](1).Sure()
	captured := &inBoxedFunc{}
	boxedFunc = func() { captured.n[0]++ }
	made[inBoxedFunc](1).InClosure()

	cause := error(&failure{1, failureValue{line: total}})
	for i := 0; i < 3; i++ {
		cause = fmt.Errorf("number %d: %w", i, &failure{i, cause})
	}
	chain = cause
	made[failure](4)
	made[failureValue](1)
	several = errors.Join(&joined{}, fmt.Errorf("both: %w, %w", &joined{}, &joined{}))
	made[joined](3)

	direct = pointerInside{&anyInside{}}
	made[anyInside](1).Sure()
	for i := 0; i < 4; i++ {
		deep = anyNested{deep}
	}
	made[anyNested](4).Sure()
	printers = []fmt.Stringer{&stringer{}, &stringer{}}
	made[stringer](2)
	arrays[fmt.Stringer]("[]fmt.Stringer", 1, 2).AtLeast()
	wideBox = wideBoxed{[100]*anyOfWide{{}, 99: {}}}
	made[wideBoxed](1)
	made[anyOfWide](2).Sure()
}

func plantInterfaces() {
	garbageOf[anyPointer]()
	garbageOf[anyValue]()
	garbageOf[methodPointer]()
	garbageOf[inBoxedArray]()
	garbageOf[failure]()
	garbageOf[joined]()
	garbageOf[anyNested]()
	garbageOf[wideBoxed]()
}
