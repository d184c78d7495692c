// SPDX-License-Identifier: Apache-2.0

// Package shapes has types outside package main: their names carry an import path.
package shapes

// Cache is held by a pointer to static data: the variable leads to an object outside the heap.
type Cache struct {
	Entries map[string]*Entry
	Order   []*Entry
	Newest  *Entry
}

// Store is such a variable.
var Store = &Cache{}

// Entry is reached through Store only.
type Entry struct {
	Name   string
	Detail *Detail
	Rows   []Row
}

// Detail is reached by a typed field, and so is Note, which has no pointers.
type Detail struct {
	Note  *Note
	Links [3]*Link
}

type Note struct{ Values [9]float64 }

type Row struct {
	Key  int
	Link *Link
}

type Link struct {
	Next *Link
	N    int
}

// Wide has a type header, Sheet is a large object.
type Wide struct {
	Links [70]*Link
	N     int
}

type Sheet struct {
	Links [9000]*Link
	N     [100]int
}

// Shape and Square: an interface and what it boxes.
type Shape interface{ Area() int }

type Square struct{ Side, Scale, Unit int }

func (s Square) Area() int { return s.Side * s.Side }

type Circle struct {
	Center *Point
	Radius int
}

func (c *Circle) Area() int { return c.Radius }

type Point struct{ X, Y, Z int }

// Pair is generic.
type Pair[K comparable, V any] struct {
	Key   K
	Value V
	Next  *Pair[K, V]
}

// Handle has a finalizer.
type Handle struct {
	Number int
	Links  []*Link
}

// Key and Value are for maps, Message for channels.
type Key struct{ A, B int }

type Value struct {
	Name string
	Link *Link
}

type Message struct {
	Text string
	From *Point
	To   *Point
}

// Local is held by variables of frames only; Plain has no pointers.
type Local struct {
	Link *Link
	N    [3]int
}

type Plain struct{ N [5]int }

// Captive is held by closures only: what they capture has no type in a program without DWARF, nor
// in that of early releases.
type Captive struct{ X, Y, Z int }

// Counter returns a closure.
//
//go:noinline
func Counter(p *Captive) func() int {
	return func() int {
		p.X++
		return p.X + p.Y
	}
}
