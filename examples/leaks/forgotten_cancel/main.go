// SPDX-License-Identifier: Apache-2.0

// # A context that nobody cancels
//
// Each request starts a watcher that ends with its context. The cancel function is dropped, so the
// context never ends, and neither does the watcher.
//
//	goheap suspects -n 1
//	goheap leaks
//
// Fix: `defer cancel()` right behind the call that returns it. `go vet` finds dropped cancels.
package main

import (
	"context"

	"goheap.example/leaks/die"
)

type request struct{ body []byte }

func watch(ctx context.Context, r *request) {
	<-ctx.Done()
	r.body = nil
}

func serve() {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	go watch(ctx, &request{body: make([]byte, 128<<10)})
}

func main() {
	for range 50 {
		serve()
	}
	die.Now()
}
