// SPDX-License-Identifier: Apache-2.0

// Shop is a small server that ate its memory in the usual ways: a cache that nobody empties, a log
// that only grows, goroutines that wait for ever, timers that nobody stops, defers in an endless
// loop, and a burst of garbage just before the end. It states what it holds and dies.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"goheap.test/programs/truth"
)

const (
	nSessions  = 4000
	nEvents    = 12000
	nOrders    = 1500
	nHandlers  = 300
	nSenders   = 40
	nReceivers = 12
	nLockers   = 5
	nPollers   = 7
	nTimers    = 60
	nTickers   = 8
	nFiles     = 25
	nGarbage   = 6000
)

// Session is what the cache holds.
type Session struct {
	User    string
	Cart    []*Item
	Conn    *Conn
	Created time.Time
}

// Conn has the buffer that makes sessions expensive.
type Conn struct {
	Buf   []byte
	Owner *Session
}

// Item lies in carts; many lie in one array.
type Item struct {
	Code, Pieces int
	Note         *Note
}

// Note has no pointers.
type Note struct{ Text [40]byte }

// Event is a record of the log.
type Event struct {
	Kind  int
	Who   *Session
	After *Event
}

// Order is larger than what has pointer bits: it has a type header.
type Order struct {
	Items [64]*Item
	Total int
	Next  *Order
}

// Page is so large that it gets a span of its own.
type Page struct {
	Rows [5000]*Item
}

// Request is dropped when it was answered.
type Request struct {
	Path   *Note
	Fields [6]int
}

// Task is what a goroutine holds while it waits.
type Task struct {
	Number int
	Data   [12]*Item
}

// File is open as long as the defer that would close it has not run.
type File struct {
	Number int
	Block  [24]byte
}

type cache struct {
	mu       sync.Mutex
	sessions map[string]*Session
	latest   *Session
}

// What the server holds.
var (
	sessions = cache{sessions: make(map[string]*Session)}
	events   []*Event
	orders   *Order
	handlers []func() int
	front    *Page
	results  = make(chan *Task)
	work     = make(chan *Task, 4)
	stuck    sync.Mutex
	quit     chan struct{}
	alarms   []*time.Timer
	tickers  []*time.Ticker
)

func state[T any](name string, count int, scan bool) {
	var zero T
	truth.Objects("main."+name, count, unsafe.Sizeof(zero), scan)
}

func note(i int) *Note {
	n := new(Note)
	strconv.AppendInt(n.Text[:0], int64(i), 10)
	state[Note]("Note", 1, false)
	return n
}

func login(i int) {
	s := &Session{User: "customer number " + strconv.Itoa(i), Created: time.Now()}
	s.Conn = &Conn{Buf: make([]byte, 512), Owner: s}
	s.Cart = append(make([]*Item, 0, 4), &Item{Code: i, Note: note(i)})
	sessions.sessions[s.User] = s
	sessions.latest = s
}

func fillCache() {
	for i := 0; i < nSessions; i++ {
		login(i)
	}
	state[Session]("Session", nSessions, true)
	state[Conn]("Conn", nSessions, true)
	state[Item]("Item", nSessions, true)
	truth.Objects("[]*main.Item", nSessions, 32, true)
}

func fillLog() {
	events = make([]*Event, 0, nEvents)
	for i := 0; i < nEvents; i++ {
		e := &Event{Kind: i % 5, Who: sessions.latest}
		if i > 0 {
			e.After = events[i-1]
		}
		events = append(events, e)
	}
	state[Event]("Event", nEvents, true)
	truth.Objects("[]*main.Event", 1, nEvents*8, true)
}

func takeOrders() {
	for i := 0; i < nOrders; i++ {
		orders = &Order{Total: i, Next: orders}
	}
	state[Order]("Order", nOrders, true)
	front = new(Page)
	state[Page]("Page", 1, true)
}

func addHandlers() {
	handlers = make([]func() int, nHandlers)
	for i := range handlers {
		session := sessions.latest
		handlers[i] = func() int { return len(session.User) + i }
	}
	truth.Objects("func main.addHandlers.func1", nHandlers, 24, true)
	truth.Objects("[]func() int", 1, nHandlers*8, true)
}

func task(i int) *Task { return &Task{Number: i} }

// answer leaks: whoever asked has gone, so nobody takes the result.
func answer() {
	t := task(1)
	truth.Parked()
	results <- t
}

// consume waits for work that never comes.
func consume() {
	t := task(2)
	truth.Parked()
	<-work
	t.Number++
}

// reserve waits for a lock that its holder keeps.
func reserve() {
	t := task(3)
	truth.Parked()
	stuck.Lock()
	t.Number++
}

// poll waits for one of several things, none of which happens.
func poll() {
	t := task(4)
	truth.Parked()
	select {
	case results <- t:
	case <-quit:
	case <-time.After(time.Hour):
	}
}

func closeFile(f *File) { f.Number = 0 }

// archive closes its files when it returns, which it does not.
func archive() {
	for i := 0; i < nFiles; i++ {
		f := &File{Number: i}
		defer closeFile(f)
	}
	truth.Park()
}

func startGoroutines() {
	stuck.Lock()
	start(nSenders, answer)
	start(nReceivers, consume)
	start(nLockers, reserve)
	start(nPollers, poll)
	start(1, archive)
	state[Task]("Task", nSenders+nReceivers+nLockers+nPollers, true)
	state[File]("File", nFiles, false)
}

func start(n int, f func()) {
	for i := 0; i < n; i++ {
		truth.Stay(f)
	}
}

func startTimers() {
	for i := 0; i < nTimers; i++ {
		session := sessions.latest
		alarms = append(alarms, time.AfterFunc(time.Hour, func() { delete(sessions.sessions, session.User) }))
	}
	for i := 0; i < nTickers; i++ {
		tickers = append(tickers, time.NewTicker(time.Hour))
	}
	truth.Objects("func main.startTimers.func1", nTimers, 16, true)
}

// serve answers requests and drops them.
//
//go:noinline
func serve() {
	for i := 0; i < nGarbage; i++ {
		dropped = &Request{Path: new(Note)}
	}
	dropped = nil
}

var dropped *Request

// more states what package truth does not: garbage by type, and who waits where.
func more() {
	say := func(text string, n int) {
		os.Stdout.WriteString(text)
		os.Stdout.WriteString(strconv.Itoa(n))
	}
	say(`{"garbage":{"main.Request":`, nGarbage)
	say(`,"main.Note":`, nGarbage)
	say(`},"waiting":{"main.answer":`, nSenders)
	say(`,"main.consume":`, nReceivers)
	say(`,"main.reserve":`, nLockers)
	say(`,"main.poll":`, nPollers)
	say(`,"main.archive":`, 1)
	say(`},"timers":`, nTimers+nTickers+nPollers)
	say(`,"defers":`, nFiles)
	os.Stdout.WriteString("}\n")
}

func main() {
	fillCache()
	fillLog()
	takeOrders()
	addHandlers()
	startGoroutines()
	startTimers()
	truth.Settle()
	more()
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	serve()
	truth.Keep(unsafe.Pointer(sessions.latest))
	truth.Keep(unsafe.Pointer(orders))
	truth.Keep(unsafe.Pointer(front))
	truth.Die("shop")
}
