// SPDX-License-Identifier: Apache-2.0

// A client that brings its own HTTP/2, golang.org/x/net/http2: it states how many bodies of responses
// it left open, and how many of these it has read.
package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http2"
)

const (
	nOpen   = 9
	nRead   = 4
	nClosed = 7
)

type statement struct {
	Open, Read int
	Peer       string
}

var (
	open    []*http.Response
	closed  []*http.Response
	payload = make([]byte, 64<<10)
)

func answer(w http.ResponseWriter, r *http.Request) { w.Write(payload) }

// settle waits until all other goroutines wait, and not for a moment only: streams end by themselves.
func settle() {
	text := make([]byte, 1<<20)
	for quiet := 0; quiet < 3; quiet++ {
		time.Sleep(5 * time.Millisecond)
		seen := string(text[:runtime.Stack(text, true)])
		if strings.Count(seen, " [running")+strings.Count(seen, " [runnable")+strings.Count(seen, " [syscall") > 1 {
			quiet = -1
		}
	}
}

func main() {
	server := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	server.EnableHTTP2 = true
	server.StartTLS()
	client := &http.Client{Transport: &http2.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for i := 0; i < nOpen+nRead+nClosed; i++ {
		r, err := client.Get(server.URL)
		if err != nil {
			panic(err)
		}
		if i >= nOpen {
			io.Copy(io.Discard, r.Body)
		}
		if i < nOpen+nRead {
			open = append(open, r)
			continue
		}
		r.Body.Close()
		closed = append(closed, r)
	}
	settle()
	for i := 0; i < 2; i++ {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
	}
	said := statement{nOpen, nRead, server.Listener.Addr().String()}
	json.NewEncoder(os.Stdout).Encode(&said)
	runtime.LockOSThread()
	syscall.Tgkill(syscall.Getpid(), syscall.Gettid(), syscall.SIGABRT)
	select {}
}
