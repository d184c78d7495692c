// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"container/list"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

type contextKey struct{}

var (
	shared  *sync.Map
	config  *atomic.Pointer[plus]
	value   *atomic.Value
	queue   *list.List
	builder *strings.Builder
	buffer  *bytes.Buffer
	ctx     context.Context
)

func buildLibrary() {
	shared = &sync.Map{}
	for _, key := range []string{"one", "two", "three"} {
		p := &plus{p: inHeap[leaf]()}
		shared.Store(key, p)
		if key == "two" {
			at(`main.shared["two"]`, p)
			at(`main.shared["two"].(*main.plus).p`, p.p)
		}
	}
	for i := 0; i < 10; i++ { // up to go1.23 moves what was stored to where it is read
		shared.Load("one")
		shared.Load("none")
	}
	config = &atomic.Pointer[plus]{}
	config.Store(at("main.config", &plus{p: inHeap[leaf]()}))
	at("main.config.p", config.Load().p)
	value = &atomic.Value{}
	value.Store(at("main.value", &plus{p: inHeap[leaf]()}))
	at("main.value.(*main.plus).p", value.Load().(*plus).p)
	queue = list.New()
	queue.PushBack(&plus{})
	queue.PushBack(&plus{p: inHeap[leaf]()})
	queue.PushBack(&plus{})
	queue.PushBack(&plus{})
	second := queue.Front().Next().Value.(*plus)
	at("main.queue.root.next.next.Value", second)
	at("main.queue.root.next.next.Value.(*main.plus).p", second.p)
	builder = &strings.Builder{}
	builder.WriteString(text("built"))
	at("main.builder.buf", unsafe.StringData(builder.String()))
	buffer = &bytes.Buffer{}
	buffer.WriteString(text("buffered"))
	at("main.buffer.buf", &buffer.Bytes()[0])
	ctx = context.WithValue(context.Background(), contextKey{}, at("main.ctx.(*context.valueCtx).val", &plus{}))
}
