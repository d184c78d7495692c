// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"

	"goheap.test/programs/truth"
)

type (
	reflectNew    struct{ n [3]int }
	reflectScan   struct{ p *reflectNew }
	reflectSlice  struct{ p *reflectElem }
	reflectElem   struct{ n [4]int }
	reflectMap    struct{ n [5]int }
	reflectChan   struct{ n [6]int }
	reflectAppend struct{ n [7]int }
	reflectField  struct{ n [8]int }
	reflectValue  struct{ n [9]int }
	reflectIndir  struct{ a, b, c int }
	reflectSet    struct{ n [10]int }
	reflectFunc   struct{ n [11]int }
	reflectMethod struct{ n [12]int }
	reflectCopy   struct{ n [13]int }
	reflectArray  struct{ n [14]int }
	reflectIface  struct{ n [15]int }
	reflectHolder struct {
		name  string
		value reflect.Value
	}
)

func (m *reflectMethod) Sum() int { return m.n[0] }

var (
	newOne        *reflectNew
	newScan       any
	newSlice      []reflectSlice
	newMap        map[string]*reflectMap
	newChan       chan *reflectChan
	appended      []*reflectAppend
	ofStruct      any
	reflectValues []reflect.Value
	setHere       struct{ p *reflectSet }
	newFunc       func() int
	newMethod     any
	copied        []*reflectCopy
	newArray      any
	ifaceValue    reflect.Value
	holders       []*reflectHolder
)

func buildReflected() {
	newOne = reflect.New(reflect.TypeOf(reflectNew{})).Interface().(*reflectNew)
	made[reflectNew](1)
	newScan = reflect.New(reflect.TypeOf(reflectScan{})).Interface()
	made[reflectScan](1).Sure()
	newSlice = reflect.MakeSlice(reflect.TypeOf(newSlice), 6, 9).Interface().([]reflectSlice)
	newSlice[5].p = &reflectElem{}
	made[reflectElem](1)
	arrays[reflectSlice]("[]main.reflectSlice", 1, 9)
	m := reflect.MakeMap(reflect.TypeOf(newMap))
	for _, name := range []string{"one", "two"} {
		m.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(&reflectMap{}))
	}
	newMap = m.Interface().(map[string]*reflectMap)
	made[reflectMap](2)
	c := reflect.MakeChan(reflect.TypeOf(newChan), 3)
	c.Send(reflect.ValueOf(&reflectChan{}))
	newChan = c.Interface().(chan *reflectChan)
	made[reflectChan](1)
	truth.Objects("chan *main.reflectChan buffer", 1, 24, true)
	s := reflect.ValueOf(appended)
	for i := 0; i < 4; i++ {
		s = reflect.Append(s, reflect.ValueOf(&reflectAppend{}))
	}
	appended = s.Interface().([]*reflectAppend)
	made[reflectAppend](4)

	made2 := reflect.StructOf([]reflect.StructField{
		{Name: "Count", Type: reflect.TypeOf(1)},
		{Name: "Held", Type: reflect.TypeOf(&reflectField{})},
		{Name: "More", Type: reflect.TypeOf("")},
	})
	v := reflect.New(made2)
	v.Elem().Field(1).Set(reflect.ValueOf(&reflectField{}))
	ofStruct = v.Interface()
	made[reflectField](1)
	truth.Objects("struct { Count int; Held *main.reflectField; More string }", 1, 32, true)

	for i := 0; i < 3; i++ {
		reflectValues = append(reflectValues, reflect.ValueOf(&reflectValue{}), reflect.ValueOf(reflectIndir{a: i}))
	}
	made[reflectValue](3)
	made[reflectIndir](3)
	reflect.ValueOf(&setHere).Elem().Field(0)
	reflect.NewAt(reflect.TypeOf(setHere.p), reflect.ValueOf(&setHere).Elem().Field(0).Addr().UnsafePointer()).
		Elem().Set(reflect.ValueOf(&reflectSet{}))
	made[reflectSet](1)
	p := &reflectFunc{}
	newFunc = reflect.MakeFunc(reflect.TypeOf(newFunc), func([]reflect.Value) []reflect.Value {
		return []reflect.Value{reflect.ValueOf(p.n[0])}
	}).Interface().(func() int)
	made[reflectFunc](1).InClosure()
	newMethod = reflect.ValueOf(&reflectMethod{}).Method(0).Interface()
	made[reflectMethod](1)
	from := []*reflectCopy{newCopy(), newCopy()}
	copied = make([]*reflectCopy, 2)
	reflect.Copy(reflect.ValueOf(copied), reflect.ValueOf(from))
	made[reflectCopy](2)
	array := reflect.New(reflect.ArrayOf(5, reflect.TypeOf(&reflectArray{})))
	array.Elem().Index(3).Set(reflect.ValueOf(&reflectArray{}))
	newArray = array.Interface()
	made[reflectArray](1)
	truth.Objects("[5]*main.reflectArray", 1, 40, true)
	ifaceValue = reflect.ValueOf([]any{&reflectIface{}}).Index(0)
	made[reflectIface](1)
	for i := 0; i < 2; i++ {
		holders = append(holders, &reflectHolder{"holder", reflect.ValueOf(holders)})
	}
	made[reflectHolder](2)
}

// newCopy is not inlined: the compiler takes what reflect.Copy copies for something that stays on
// the stack.
//
//go:noinline
func newCopy() *reflectCopy { return &reflectCopy{} }

func plantReflected() {
	garbageOf[reflectNew]()
	garbageOf[reflectScan]()
	garbageOf[reflectElem]()
	garbageOf[reflectMap]()
	garbageOf[reflectField]()
	garbageOf[reflectValue]()
	garbageOf[reflectFunc]()
}
