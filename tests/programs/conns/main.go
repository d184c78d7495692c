// SPDX-License-Identifier: Apache-2.0

// Connections, listeners, files, response bodies and a database pool, held by package variables and
// by goroutines: the program states how many of each are open and which a goroutine has in hand.
// With the word "closed" it does the same, and closes everything.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"goheap.test/programs/still"
	"goheap.test/programs/truth"
)

const (
	nDialed = 30
	nUnix   = 5
	nFiles  = 40
	nBodies = 200
	nRead   = 20
	nIdle   = 8
	nClosed = 15
	nLinks  = 12000 // more than are walked in search of who holds one
)

type link struct {
	next, prev *link
	file       *os.File
}

type row struct {
	Kind, Owner   string
	Count, In_use int
}

type statement struct {
	Rows    []row                 // by kind and owner; "": all of the kind
	Sharers map[string][][]string // by kind: all that hold one of these, by name
	Peers   []string              // of all HTTP connections
	Names   []string
	Pools   []pool
}

type pool struct{ Open, In_use, Idle, Waiting, Limit, Lost int }

var (
	said     = statement{Sharers: map[string][][]string{}}
	dialed   []net.Conn
	accepted []net.Conn
	spare    net.Listener
	accepts  net.Listener
	sockets  []net.PacketConn
	unixes   []net.Conn
	servers  []net.Conn
	path     net.Listener
	files    []*os.File
	pipes    [2]*os.File
	first    *link
	last     *link
	client   *http.Client
	bodies   []*http.Response
	readOnes []*http.Response
	web      *http.Server
	handling atomic.Int32
	gate     sync.WaitGroup
	never    = make(chan int)
	payload  = bytes.Repeat([]byte("x"), 64<<10)
)

var closing = len(os.Args) > 1 && os.Args[1] == "closed"

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func states(kind, owner string, count, inUse int) {
	said.Rows = append(said.Rows, row{kind, owner, count, inUse})
}

func shared(kind string, sharers ...string) {
	said.Sharers[kind] = append(said.Sharers[kind], sharers)
}

func handle(c net.Conn) {
	handling.Add(1)
	var b [1]byte
	c.Read(b[:])
	runtime.KeepAlive(c)
}

func accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go handle(c)
	}
}

func tcp() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	accepts = l
	go accept(l)
	for i := 0; i < nDialed; i++ {
		c, err := net.Dial("tcp", l.Addr().String())
		check(err)
		dialed = append(dialed, c)
	}
	for handling.Load() < nDialed {
		time.Sleep(time.Millisecond)
	}
	spare, err = net.Listen("tcp", "[::1]:0")
	if err != nil {
		spare, err = net.Listen("tcp", "127.0.0.1:0")
	}
	check(err)
	for i := 0; i < 3; i++ {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		check(err)
		sockets = append(sockets, c)
	}
	states("TCP connection", "main.dialed", nDialed, 0)
	states("TCP connection", "goroutines started in main.accept", nDialed, nDialed)
	states("TCP listener", "main.spare", 1, 0)
	shared("TCP listener", "main.accepts", "goroutines started in main.tcp")
	states("UDP socket", "main.sockets", 3, 0)
}

func unix(dir string) {
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	check(err)
	path = l
	for i := 0; i < nUnix; i++ {
		c, err := net.Dial("unix", l.Addr().String())
		check(err)
		unixes = append(unixes, c)
		s, err := l.Accept()
		check(err)
		servers = append(servers, s)
	}
	states("unix connection", "main.unixes", nUnix, 0)
	states("unix connection", "main.servers", nUnix, 0)
	states("unix listener", "main.path", 1, 0)
}

func open(dir string) {
	for i := 0; i < nFiles+10; i++ {
		f, err := os.Create(filepath.Join(dir, "file"+strconv.Itoa(i)))
		check(err)
		if i >= nFiles {
			f.Close()
			continue
		}
		files = append(files, f)
		said.Names = append(said.Names, f.Name())
	}
	r, w, err := os.Pipe()
	check(err)
	pipes = [2]*os.File{r, w}
	states("file", "main.files", nFiles, 0)
	states("pipe", "main.pipes", 2, 0)
}

// links has a file in the middle of a long list that has two ends.
func links(dir string) {
	f, err := os.Create(filepath.Join(dir, "linked"))
	check(err)
	first = &link{}
	last = first
	for i := 0; i < nLinks; i++ {
		last.next = &link{prev: last}
		last = last.next
		if i == nLinks/2 {
			last.file = f
		}
	}
	said.Names = append(said.Names, f.Name())
	shared("file", "main.first", "main.last")
}

func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/together" {
		gate.Done()
		gate.Wait()
	}
	w.Write(payload)
}

func get(url string) *http.Response {
	r, err := client.Get(url)
	check(err)
	return r
}

func finish(r *http.Response, close bool) {
	io.Copy(io.Discard, r.Body)
	if close {
		r.Body.Close()
	}
}

func https() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	url := "http://" + l.Addr().String()
	said.Peers = append(said.Peers, l.Addr().String())
	web = &http.Server{Handler: http.HandlerFunc(answer)}
	go web.Serve(l)
	client = &http.Client{Transport: &http.Transport{MaxIdleConns: 100, MaxIdleConnsPerHost: 100}}
	for i := 0; i < nBodies; i++ {
		bodies = append(bodies, get(url))
	}
	var done sync.WaitGroup
	gate.Add(nIdle)
	for i := 0; i < nIdle; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			finish(get(url+"/together"), true)
		}()
	}
	done.Wait()
	for i := 0; i < nRead; i++ {
		r := get(url)
		finish(r, false)
		readOnes = append(readOnes, r)
	}
	for i := 0; i < nClosed; i++ {
		finish(get(url), true)
	}
	// who has what an HTTP client has differs between releases
	states("HTTP response body, read", "main.readOnes", nRead, 0)
	states("idle HTTP connection", "", nIdle+1, 0)
	states("HTTP connection", "", nBodies+1, 1)
}

func closeAll() {
	for _, c := range [][]net.Conn{dialed, unixes, servers} {
		for _, one := range c {
			one.Close()
		}
	}
	for _, c := range sockets {
		c.Close()
	}
	for _, f := range files {
		f.Close()
	}
	for l := first; l != nil; l = l.next {
		if l.file != nil {
			l.file.Close()
		}
	}
	for _, r := range append(bodies, readOnes...) {
		finish(r, true)
	}
	spare.Close()
	accepts.Close()
	path.Close()
	pipes[0].Close()
	pipes[1].Close()
	client.CloseIdleConnections()
	web.Close()
	closeHTTP2()
	closeDatabases()
	for openSockets() > 0 { // some are closed by those who hear of it
		time.Sleep(time.Millisecond)
	}
}

// openSockets counts those of the process.
func openSockets() (n int) {
	all, err := os.ReadDir("/proc/self/fd")
	check(err)
	for _, one := range all {
		if what, _ := os.Readlink("/proc/self/fd/" + one.Name()); strings.HasPrefix(what, "socket:") {
			n++
		}
	}
	return n
}

func main() {
	dir, err := os.MkdirTemp("", "conns")
	check(err)
	tcp()
	unix(dir)
	open(dir)
	links(dir)
	https()
	http2()
	databases()
	if closing {
		closeAll()
	}
	check(os.RemoveAll(dir))
	still.Wait()
	for i := 0; i < 2; i++ {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
	}
	json.NewEncoder(os.Stdout).Encode(&said)
	if len(os.Args) > 2 && os.Args[2] == "stay" {
		<-never
	}
	runtime.LockOSThread()
	truth.Abort()
}
