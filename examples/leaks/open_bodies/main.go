// SPDX-License-Identifier: Apache-2.0

// # Response bodies that nobody closes
//
// The connection of a response belongs to its body until that is closed. Two goroutines and two
// buffers stay for each.
//
//	goheap suspects -n 2
//	goheap conns -n 3
//
// Fix: `defer response.Body.Close()` behind the check of the error, and read the body to its end if
// the connection shall serve again.
package main

import (
	"net"
	"net/http"

	"goheap.example/leaks/die"
)

func serve(w http.ResponseWriter, _ *http.Request) {
	w.Write(make([]byte, 64<<10))
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(serve))
	for range 50 {
		response, err := http.Get("http://" + listener.Addr().String())
		if err != nil || response.StatusCode != 200 {
			panic("no answer")
		}
	}
	die.Now()
}
