// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand"
	"strconv"
)

type (
	treeNode struct {
		left, right *treeNode
		value       int
	}
	dnode struct {
		prev, next *dnode
		value      *boxed
		n          int
	}
	boxed struct {
		name string
		n    int
	}
	boxA   struct{ a, b int }
	boxB   struct{ p *boxA }
	record struct {
		id    int
		name  string
		tags  []string
		body  []byte
		owner *record
		any   any
	}

	kindRoot struct {
		trees   []*treeNode
		lists   []*dnode
		records []*record
		byID    map[int]*record
		groups  []map[string]*boxed
	}
)

// makeKind allocates structures one after the other, as programs do.
func makeKind(random *rand.Rand, n int) *kindRoot {
	root := &kindRoot{byID: make(map[int]*record)}
	made := 0
	for made < n {
		switch random.Intn(4) {
		case 0:
			depth := 4 + random.Intn(8)
			root.trees = append(root.trees, tree(depth))
			made += 1<<depth - 1
		case 1:
			length := 10 + random.Intn(200)
			root.lists = append(root.lists, list(length))
			made += 3 * length
		case 2:
			for i := 0; i < 50; i++ {
				root.add(random)
			}
			made += 50 * 7
		default:
			group := make(map[string]*boxed)
			for i := 0; i < 1+random.Intn(40); i++ {
				key := "key-" + strconv.Itoa(made+i)
				group[key] = &boxed{name: key, n: i}
			}
			root.groups = append(root.groups, group)
			made += 4 + 2*len(group)
		}
	}
	return root
}

func tree(depth int) *treeNode {
	if depth == 0 {
		return nil
	}
	t := &treeNode{value: depth}
	t.left = tree(depth - 1)
	t.right = tree(depth - 1)
	return t
}

func list(length int) *dnode {
	first := &dnode{}
	last := first
	for i := 1; i < length; i++ {
		name := "element " + strconv.Itoa(i) + " of a list"
		d := &dnode{prev: last, n: i, value: &boxed{name: name, n: i}}
		last.next = d
		last = d
	}
	return first
}

func (root *kindRoot) add(random *rand.Rand) {
	r := &record{id: len(root.records), name: "record number " + strconv.Itoa(len(root.records))}
	r.tags = make([]string, 2+random.Intn(3))
	for i := range r.tags {
		r.tags[i] = "a tag with some text " + strconv.Itoa(random.Intn(1000))
	}
	r.body = make([]byte, 32+random.Intn(64))
	if r.id > 0 {
		r.owner = root.records[random.Intn(r.id)]
	}
	if r.id%2 == 0 {
		r.any = boxA{r.id, 1}
	} else {
		r.any = &boxB{&boxA{r.id, 2}}
	}
	if r.id%5 == 0 {
		root.byID[r.id] = r
	}
	root.records = append(root.records, r)
}
