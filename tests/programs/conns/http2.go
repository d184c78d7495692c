// SPDX-License-Identifier: Apache-2.0

package main

import (
	"compress/gzip"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"goheap.test/programs/still"
)

const (
	nOpen2    = 30 // whole, unread
	nZipped2  = 3
	nRead2    = 10 // to the end
	nEmpty2   = 5  // have none
	nClosed2  = 7
	nWaiting2 = 4 // for a response
	nReading2 = 6 // a part of the body, and wait for more
	nGoing2   = 2 // like these, and nobody reads
)

var (
	secure    *httptest.Server
	client2   *http.Client
	quiet2    *http.Client // has one idle connection
	open2     []*http.Response
	going2    []*http.Response
	readOnes2 []*http.Response
	empty2    []*http.Response
	asked2    atomic.Int32
	released2 = make(chan int)
	asking2   sync.WaitGroup
)

func answer2(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
	case "/zipped":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		z.Write(payload)
		z.Close()
	case "/never":
		asked2.Add(1)
		<-released2
	case "/part":
		w.Write(payload[:100])
		w.(http.Flusher).Flush()
		asked2.Add(1)
		<-released2
	default:
		w.Write(payload)
	}
}

func get2(c *http.Client, path string) *http.Response {
	r, err := c.Get(secure.URL + path)
	check(err)
	if r.ProtoMajor != 2 {
		panic("not HTTP/2")
	}
	return r
}

func ask2() {
	defer asking2.Done()
	finish(get2(client2, "/never"), true)
}

func read2() {
	defer asking2.Done()
	r := get2(client2, "/part")
	finish(r, true)
	runtime.KeepAlive(r)
}

func newClient2() *http.Client {
	config := secure.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
}

func http2() {
	secure = httptest.NewUnstartedServer(http.HandlerFunc(answer2))
	secure.EnableHTTP2 = true
	secure.TLS = &tls.Config{}
	secure.StartTLS()
	said.Peers = append(said.Peers, secure.Listener.Addr().String())
	client2, quiet2 = newClient2(), newClient2()
	for i := 0; i < nOpen2; i++ {
		open2 = append(open2, get2(client2, "/"))
	}
	for i := 0; i < nZipped2; i++ {
		open2 = append(open2, get2(client2, "/zipped"))
	}
	for i := 0; i < nRead2; i++ {
		r := get2(client2, "/")
		io.Copy(io.Discard, r.Body)
		readOnes2 = append(readOnes2, r)
	}
	for i := 0; i < nEmpty2; i++ {
		empty2 = append(empty2, get2(client2, "/empty"))
	}
	for i := 0; i < nClosed2; i++ {
		get2(client2, "/").Body.Close()
	}
	finish(get2(quiet2, "/"), true)
	asking2.Add(nWaiting2 + nReading2)
	for i := 0; i < nWaiting2; i++ {
		go ask2()
	}
	for i := 0; i < nReading2; i++ {
		go read2()
	}
	for i := 0; i < nGoing2; i++ {
		going2 = append(going2, get2(client2, "/part"))
	}
	for asked2.Load() < nWaiting2+nReading2+nGoing2 {
		time.Sleep(time.Millisecond)
	}
	still.Wait() // what was sent arrives
	states("HTTP response body", "main.open2", nOpen2+nZipped2, 0)
	states("HTTP response body", "", nBodies+nOpen2+nZipped2+nReading2+nGoing2, nReading2)
	states("HTTP response body, read", "main.readOnes2", nRead2, 0)
	states("HTTP/2 request", "", nWaiting2, nWaiting2)
}

func closeHTTP2() {
	close(released2)
	asking2.Wait()
	for _, all := range [][]*http.Response{open2, going2, readOnes2, empty2} {
		for _, r := range all {
			r.Body.Close()
		}
	}
	client2.CloseIdleConnections()
	quiet2.CloseIdleConnections()
	secure.Close()
}
