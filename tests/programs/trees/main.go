// SPDX-License-Identifier: Apache-2.0

// Trees and lists of nodes in many size classes, on both sides of the type header.
package main

import (
	"unsafe"

	"goheap.test/programs/truth"
)

type leaf struct {
	left, right *leaf
}

type node struct {
	left, right *node
	key         int
	value       [5]int
}

type bigNode struct {
	left, right *bigNode
	payload     [600]byte
	parent      *bigNode
}

type link struct {
	next, prev *link
	owner      *node
}

type list struct {
	head, tail *link
	length     int
}

var (
	leaves  *leaf
	ordered *node
	big     *bigNode
	all     list
)

func (n *node) insert(key int) *node {
	if n == nil {
		return &node{key: key}
	}
	if key < n.key {
		n.left = n.left.insert(key)
	} else {
		n.right = n.right.insert(key)
	}
	return n
}

func full(depth int) *leaf {
	if depth == 0 {
		return nil
	}
	return &leaf{full(depth - 1), full(depth - 1)}
}

func fullBig(depth int, parent *bigNode) *bigNode {
	if depth == 0 {
		return nil
	}
	n := &bigNode{parent: parent}
	n.left, n.right = fullBig(depth-1, n), fullBig(depth-1, n)
	return n
}

func (l *list) push(owner *node) {
	n := &link{prev: l.tail, owner: owner}
	if l.tail == nil {
		l.head = n
	} else {
		l.tail.next = n
	}
	l.tail = n
	l.length++
}

func (n *node) walk(visit *list) {
	if n != nil {
		n.left.walk(visit)
		visit.push(n)
		n.right.walk(visit)
	}
}

const keys = 3000

func build() {
	leaves = full(11)
	big = fullBig(7, nil)
	for i := 0; i < keys; i++ {
		ordered = ordered.insert(i * 7919 % keys)
	}
	ordered.walk(&all)
	truth.Objects("main.leaf", 1<<11-1, unsafe.Sizeof(leaf{}), true)
	truth.Objects("main.bigNode", 1<<7-1, unsafe.Sizeof(bigNode{}), true)
	truth.Objects("main.node", keys, unsafe.Sizeof(node{}), true)
	truth.Objects("main.link", keys, unsafe.Sizeof(link{}), true)
}

// plant cuts a subtree off and unlinks the second half of the list.
func plant() {
	big.left.walk(truth.Plant)
	big.left = nil
	big.right.walk(truth.Keep)
	for n := leaves.left; n != nil; n = n.left {
		truth.Plant(unsafe.Pointer(n))
		n.right.walk()
	}
	leaves.left = nil

	cut := all.head
	for i := 0; i < all.length/2; i++ {
		truth.Keep(unsafe.Pointer(cut))
		cut = cut.next
	}
	all.tail = cut.prev
	cut.prev.next = nil
	for ; cut != nil; cut = cut.next {
		truth.Plant(unsafe.Pointer(cut))
	}
}

func (n *leaf) walk() {
	if n != nil {
		truth.Plant(unsafe.Pointer(n))
		n.left.walk()
		n.right.walk()
	}
}

func (n *bigNode) walk(visit func(unsafe.Pointer)) {
	if n != nil {
		visit(unsafe.Pointer(n))
		n.left.walk(visit)
		n.right.walk(visit)
	}
}

func main() {
	build()
	truth.Garbage(plant)
	truth.Die("trees")
}
