// SPDX-License-Identifier: Apache-2.0

package main

import "math/rand"

type (
	node32 struct {
		child any
		next  *node32
		tag   uint64
	}
	node48 struct {
		a, b *node32
		c, d *node48
		leaf *leaf16
		tag  uint64
	}
	leaf16 struct{ a, b uint64 }
	leaf32 struct{ a, b, c, d uint64 }

	unkindRoot struct {
		nodes []*node48
		small map[uint32]*node32
		large map[uint64]*leaf32
		maps  []map[int]*leaf16
	}
)

// makeUnkind allocates nodes and leaves in random order and links them as a random tree with half as
// many edges again, so that no pointer leads to a neighbour.
func makeUnkind(random *rand.Rand, n int) *unkindRoot {
	var (
		root  unkindRoot
		small []*node32
		big   []*node48
		l16   []*leaf16
		l32   []*leaf32
	)
	for i := 0; i < n; i++ {
		switch r := random.Intn(100); {
		case r < 33:
			small = append(small, &node32{tag: uint64(i)})
		case r < 65:
			big = append(big, &node48{tag: uint64(i)})
		case r < 85:
			l16 = append(l16, &leaf16{a: uint64(i)})
		default:
			l32 = append(l32, &leaf32{a: uint64(i)})
		}
	}
	random.Shuffle(len(small), func(i, j int) { small[i], small[j] = small[j], small[i] })
	random.Shuffle(len(big), func(i, j int) { big[i], big[j] = big[j], big[i] })
	random.Shuffle(len(l16), func(i, j int) { l16[i], l16[j] = l16[j], l16[i] })
	random.Shuffle(len(l32), func(i, j int) { l32[i], l32[j] = l32[j], l32[i] })

	// Each node hangs at a random earlier one; what finds no free field there tries another.
	for i := 1; i < len(big); i++ {
		for !hang(big[random.Intn(i)], big[i]) {
		}
	}
	for i, p := range small {
		if i > 0 && small[random.Intn(i)].take(p) {
			continue
		}
		for {
			b := big[random.Intn(len(big))]
			if b.a == nil {
				b.a = p
				break
			}
			if b.b == nil {
				b.b = p
				break
			}
			if i > 0 && small[random.Intn(i)].take(p) {
				break
			}
		}
	}
	rest := l16[:0:0]
	for _, p := range l16 {
		if b := big[random.Intn(len(big))]; b.leaf == nil {
			b.leaf = p
		} else {
			rest = append(rest, p)
		}
	}
	for _, p := range rest {
		root.hold(random, small, p)
	}
	root.large = make(map[uint64]*leaf32)
	for i, p := range l32 {
		if s := small[random.Intn(len(small))]; s.child == nil {
			s.child = p
		} else if i%2 == 0 {
			root.large[uint64(i)] = p
		} else {
			root.hold(random, small, p)
		}
	}
	for i := 0; i < n/2; i++ { // extra edges
		s := small[random.Intn(len(small))]
		if s.child == nil {
			s.child = big[random.Intn(len(big))]
		} else if s.next == nil {
			s.next = small[random.Intn(len(small))]
		}
	}
	root.nodes = big[:1]
	root.small = make(map[uint32]*node32)
	for i := 0; i < 1000; i++ {
		root.small[uint32(i)] = small[random.Intn(len(small))]
	}
	for i := 0; i < n/1000; i++ {
		root.maps = append(root.maps, map[int]*leaf16{i: l16[random.Intn(len(l16))]})
	}
	nodes := make([]*node48, 1)
	nodes[0] = big[0]
	root.nodes = nodes
	return &root
}

func hang(parent, p *node48) bool {
	switch {
	case parent.c == nil:
		parent.c = p
	case parent.d == nil:
		parent.d = p
	default:
		return false
	}
	return true
}

func (s *node32) take(p *node32) bool {
	if s.next != nil {
		return false
	}
	s.next = p
	return true
}

// hold finds a node with room for a leaf of any type.
func (root *unkindRoot) hold(random *rand.Rand, small []*node32, leaf any) {
	for {
		if s := small[random.Intn(len(small))]; s.child == nil {
			s.child = leaf
			return
		}
	}
}
