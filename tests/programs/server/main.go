// SPDX-License-Identifier: Apache-2.0

// A small server in good health: sessions over loopback connections, a cache, a queue with workers,
// a ticker, contexts. Nothing in it leaks.
package main

import (
	"bufio"
	"container/list"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

type session struct {
	id      int
	user    string
	conn    net.Conn
	scanner *bufio.Scanner
	server  *server
	cancel  context.CancelFunc
	history []string
}

type document struct {
	name    string
	lines   []string
	created time.Time
	reader  map[int]*session
}

type job struct {
	document *document
	done     chan error
}

type server struct {
	mu       sync.RWMutex
	sessions map[int]*session
	cache    map[string]*list.Element
	recent   *list.List
	queue    chan *job
	ctx      context.Context
	ticker   *time.Ticker
	closing  chan struct{}
	served   int
}

const (
	clients   = 12
	requests  = 25
	documents = 40
	workers   = 3
)

var errShort = errors.New("request too short")

func newServer(ctx context.Context) *server {
	return &server{
		sessions: make(map[int]*session),
		cache:    make(map[string]*list.Element),
		recent:   list.New(),
		queue:    make(chan *job, 10),
		ctx:      ctx,
		ticker:   time.NewTicker(time.Hour),
		closing:  make(chan struct{}),
	}
}

func (s *server) work() {
	for j := range s.queue {
		j.document.lines = append(j.document.lines, fmt.Sprintf("line %d", len(j.document.lines)))
		j.done <- nil
	}
}

func (s *server) housekeeping() {
	for {
		select {
		case <-s.ticker.C:
			s.mu.Lock()
			for s.recent.Len() > documents {
				s.recent.Remove(s.recent.Back())
			}
			s.mu.Unlock()
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *server) document(name string, reader *session) *document {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.cache[name]; e != nil {
		s.recent.MoveToFront(e)
		e.Value.(*document).reader[reader.id] = reader
		return e.Value.(*document)
	}
	d := &document{name: name, created: time.Now(), reader: map[int]*session{reader.id: reader}}
	truth.Keep(unsafe.Pointer(d))
	s.cache[name] = s.recent.PushFront(d)
	return d
}

func (s *session) serve() {
	ctx, cancel := context.WithTimeout(s.server.ctx, time.Hour)
	s.cancel = cancel
	defer cancel()
	for s.scanner.Scan() {
		line := s.scanner.Text()
		s.history = append(s.history, line)
		if err := s.answer(ctx, line); err != nil {
			fmt.Fprintln(s.conn, "error:", err)
		}
	}
}

func (s *session) answer(ctx context.Context, line string) error {
	words := strings.Fields(line)
	if len(words) < 2 {
		return errShort
	}
	d := s.server.document(words[1], s)
	j := &job{d, make(chan error, 1)}
	select {
	case s.server.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := <-j.done; err != nil {
		return fmt.Errorf("cannot %s: %w", words[0], err)
	}
	s.server.mu.Lock()
	s.server.served++
	s.server.mu.Unlock()
	_, err := fmt.Fprintln(s.conn, d.name, len(d.lines) > 0)
	return err
}

func (s *server) accept(l net.Listener) {
	for id := 0; ; id++ {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := &session{id: id, user: fmt.Sprint("user", id), conn: conn,
			scanner: bufio.NewScanner(conn), server: s}
		truth.Keep(unsafe.Pointer(c))
		s.mu.Lock()
		s.sessions[id] = c
		s.mu.Unlock()
		go c.serve()
	}
}

func client(n int, address string, done *sync.WaitGroup) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	answers := bufio.NewReader(conn)
	for i := 0; i < requests; i++ {
		fmt.Fprintf(conn, "append document%d\n", (n*requests+i*7)%documents)
		if _, err := answers.ReadString('\n'); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	done.Done()
	answers.ReadString('\n') // stays connected
}

var running *server

func build() {
	ctx, cancel := context.WithCancelCause(context.Background())
	context.AfterFunc(ctx, func() { cancel(nil) })
	running = newServer(context.WithValue(ctx, "name", "test"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	for i := 0; i < workers; i++ {
		go running.work()
	}
	go running.housekeeping()
	go running.accept(l)
	var done sync.WaitGroup
	for i := 0; i < clients; i++ {
		done.Add(1)
		go client(i, l.Addr().String(), &done)
	}
	done.Wait()
	truth.Objects("main.server", 1, unsafe.Sizeof(server{}), true)
	truth.Objects("main.session", clients, unsafe.Sizeof(session{}), true)
	truth.Objects("main.document", len(running.cache), unsafe.Sizeof(document{}), true)
}

// plant forgets a quarter of the cache.
func plant() {
	for i := 0; i < documents/4; i++ {
		e := running.recent.Back()
		d := e.Value.(*document)
		running.recent.Remove(e)
		delete(running.cache, d.name)
		truth.Plant(unsafe.Pointer(d))
		truth.Plant(unsafe.Pointer(unsafe.SliceData(d.lines)))
		truth.Plant(unsafe.Pointer(e))
	}
}

func main() {
	truth.Sheds("main.(*server).document")
	truth.Sheds("main.(*server).work")
	truth.Sheds("main.(*session).serve")
	build()
	truth.Garbage(plant)
	truth.Die("server")
}
