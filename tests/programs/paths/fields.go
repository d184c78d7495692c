// SPDX-License-Identifier: Apache-2.0

package main

import "unsafe"

type (
	leaf struct {
		next *leaf
		n    [3]int
	}
	conn struct {
		id  int
		buf []byte
	}
	session struct {
		name string
		conn *conn
	}
	cacheOf struct {
		hits     int
		sessions map[string]*session
		inner    struct{ recent [3]*session }
	}
	embedded struct {
		n     int
		owner *leaf
	}
	outer struct {
		label string
		embedded
		other *leaf
	}
	pair[K comparable, V any] struct {
		key   K
		value V
		next  *pair[K, V]
	}
	tree struct {
		left, right *tree
		value       *leaf
	}
	node struct {
		payload *leaf
		next    *node
	}
	ring struct {
		value *leaf
		next  *ring
	}
)

var (
	cache    *cacheOf
	registry struct {
		name  string
		first *leaf
		all   [4]*leaf
	}
	outers    []*outer
	interior  *embedded
	items     []*leaf
	values    []conn
	resliced  []*leaf
	array     *[5]*leaf
	pointers  **leaf
	pairs     *pair[string, *leaf]
	root      *tree
	head      *node
	around    *ring
	prepared  = &cacheOf{hits: 1}
	preparedS = []*session{{name: "a"}, {name: "b"}}
	word      string

	first, second, third *leaf // all of them lead to one object
)

func buildFields() {
	cache = &cacheOf{sessions: map[string]*session{}}
	at("main.cache", cache)
	u42 := &session{name: "u42", conn: &conn{buf: make([]byte, 300)}}
	cache.sessions["u42"] = u42
	at(`main.cache.sessions["u42"]`, u42)
	at(`main.cache.sessions["u42"].conn`, u42.conn)
	at(`main.cache.sessions["u42"].conn.buf`, &u42.conn.buf[0])
	cache.inner.recent[1] = at("main.cache.inner.recent[1]", &session{})

	registry.first = at("main.registry.first", inHeap[leaf]())
	registry.first.next = at("main.registry.first.next", inHeap[leaf]())
	registry.all[2] = at("main.registry.all[2]", inHeap[leaf]())

	outers = []*outer{nil, {}}
	outers[1].owner = at("main.outers[1].embedded.owner", inHeap[leaf]())
	inside := &outer{}
	inside.owner, inside.other = inHeap[leaf](), inHeap[leaf]()
	interior = &inside.embedded
	at("main.interior.owner", inside.owner)
	at("main.interior.(in main.outer).other", inside.other)

	items = make([]*leaf, 7)
	items[3] = at("main.items[3]", inHeap[leaf]())
	items[3].next = at("main.items[3].next", inHeap[leaf]())
	at("main.items", &items[0])
	values = make([]conn, 4)
	values[2].buf = make([]byte, 5000)
	at("main.values[2].buf", &values[2].buf[0])
	whole := make([]*leaf, 9)
	whole[6] = inHeap[leaf]()
	resliced = whole[4:]
	at("main.resliced[2]", whole[6])
	array = &[5]*leaf{4: inHeap[leaf]()}
	at("main.array[4]", array[4])
	p := inHeap[leaf]()
	pointers = &p
	at("main.pointers.*", p)
	at("main.pointers", pointers)

	pairs = &pair[string, *leaf]{next: &pair[string, *leaf]{}}
	pairs.next.value = at("main.pairs.next.value", inHeap[leaf]())
	root = &tree{left: &tree{right: &tree{}}}
	root.left.right.value = at("main.root.left.right.value", inHeap[leaf]())
	for i := 0; i < 1000; i++ {
		head = &node{next: head}
	}
	last := head
	for last.next != nil {
		last = last.next
	}
	last.payload = at("main.head(.next ×999).payload", inHeap[leaf]())
	around = &ring{next: &ring{next: &ring{}}}
	around.next.next.next = around
	around.next.next.value = at("main.around.next.next.value", inHeap[leaf]())

	prepared.sessions = map[string]*session{"p": {}}
	at(`main.prepared.sessions["p"]`, prepared.sessions["p"])
	preparedS[1].conn = at("main.preparedS[1].conn", inHeap[conn]())
	first = inHeap[leaf]()
	second = &leaf{next: first}
	third = &leaf{next: &leaf{next: first}}
	at("main.first", first)
	word = text("word")
	at("main.word", unsafe.StringData(word))
}
