// SPDX-License-Identifier: Apache-2.0

// Goroutines that can never run again, one kind of leak after the other, beside others that wait for
// the same kinds of things and will run. The program states which are which, and what the runtime's
// own profile says where there is one. With the word "healthy" nobody leaks.
package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"io"
	"net"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"goheap.test/programs/still"
	"goheap.test/programs/truth"
)

type leak struct {
	Pattern string
	Goids   []int
}

type statement struct {
	Leaks    []*leak
	Alive    []int // that wait and are no leak
	Many     []int // of these: at one place, each for a channel of its own
	Profile  []int // that the runtime calls leaked
	Profiled bool
}

var (
	said    statement
	saying  sync.Mutex
	started atomic.Int32
	never   = make(chan int)
	current *leak // nil: those who are started will run again
)

const each = 12

func goid() int {
	var text [64]byte
	words := strings.Fields(string(text[:runtime.Stack(text[:], false)]))
	id, _ := strconv.Atoi(words[1])
	return id
}

// blocks says that the goroutine is about to.
func blocks() { noteBlocked(goid()) }

func noteBlocked(goid int) {
	saying.Lock()
	if current != nil {
		current.Goids = append(current.Goids, goid)
	} else {
		said.Alive = append(said.Alive, goid)
	}
	saying.Unlock()
	started.Add(1)
}

// settle waits until n goroutines more are blocked.
func settle(n int) {
	for started.Load() < int32(n) {
		time.Sleep(time.Millisecond)
	}
	still.Wait()
	started.Store(0)
}

func leaks(pattern string, n int, start func()) {
	saying.Lock()
	current = &leak{Pattern: pattern}
	said.Leaks = append(said.Leaks, current)
	saying.Unlock()
	for i := 0; i < each; i++ {
		start()
	}
	settle(n * each)
}

func lives(n int, start func()) {
	saying.Lock()
	current = nil
	saying.Unlock()
	start()
	settle(n)
}

func fetch(c chan *[512]byte, payload *[512]byte) {
	blocks()
	c <- payload
}

func prematureReturn() {
	c := make(chan *[512]byte)
	go fetch(c, new([512]byte))
}

// pipeWriter is left alone by who should read.
func pipeWriter() {
	_, w := io.Pipe()
	go func() {
		blocks()
		w.Write([]byte("x"))
	}()
}

func pipeReader() {
	r, _ := io.Pipe()
	go func() {
		blocks()
		io.ReadAll(r)
	}()
}

func netPipe() {
	a, _ := net.Pipe()
	go func() {
		blocks()
		a.Read(make([]byte, 1))
	}()
}

type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) { return nil, io.EOF }
func (connector) Driver() driver.Driver                        { return nil }

type session struct{}

func (session) Prepare(string) (driver.Stmt, error) { return nil, io.EOF }
func (session) Close() error                        { return nil }
func (session) Begin() (driver.Tx, error)           { return session{}, nil }
func (session) Commit() error                       { return nil }
func (session) Rollback() error                     { return nil }

type sessions struct{ connector }

func (sessions) Connect(context.Context) (driver.Conn, error) { return session{}, nil }

var entered = map[int]bool{}

// enters waits until a goroutine more is in that function, which package sql has started.
func enters(function string) {
	in := regexp.MustCompile(`goroutine (\d+) [^\n]*\n(?:[^\n]+\n)*` + regexp.QuoteMeta(function))
	text := make([]byte, 1<<20)
	for seen := false; !seen; time.Sleep(time.Millisecond) {
		for _, m := range in.FindAllSubmatch(text[:runtime.Stack(text, true)], -1) {
			if id, _ := strconv.Atoi(string(m[1])); !entered[id] {
				entered[id], seen = true, true
				noteBlocked(id)
			}
		}
	}
}

// poolDropped forgets a pool, which keeps a goroutine.
func poolDropped() {
	sql.OpenDB(connector{})
	enters("database/sql.(*DB).connectionOpener")
}

var (
	database     = sync.OnceValue(func() *sql.DB { return sql.OpenDB(sessions{}) })
	transactions []*sql.Tx
)

func begin() *sql.Tx {
	tx, err := database().Begin()
	if err != nil {
		panic(err)
	}
	enters("database/sql.(*Tx).awaitDone")
	return tx
}

// transactionDropped is neither committed nor rolled back.
func transactionDropped() { begin() }

// transactionKept may be committed yet.
func transactionKept() { transactions = append(transactions, begin()) }

func missingSender() {
	c := make(chan int)
	go func() {
		blocks()
		<-c
	}()
}

func rangeNeverClosed() {
	c := make(chan int, 3)
	go func() {
		blocks()
		for v := range c {
			_ = v
		}
	}()
}

func forgottenContext() {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	work := make(chan int)
	go func() {
		blocks()
		select {
		case <-ctx.Done():
		case v := <-work:
			_ = v
		}
	}()
}

//go:noinline
func watch(ctx context.Context, payload *[512]byte) {
	blocks()
	<-ctx.Done()
	payload[0] = 0
}

// forgottenWatch: the context is garbage once its channel is known.
func forgottenWatch() {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	go watch(ctx, new([512]byte))
}

// forgottenCause needs the context when it has ended.
func forgottenCause() {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), 1, 2))
	_ = cancel
	go func() {
		blocks()
		<-ctx.Done()
		println(ctx.Err())
	}()
}

func forgottenLoop() {
	ctx, cancel := context.WithCancelCause(context.Background())
	_ = cancel
	work := make(chan int)
	go func() {
		blocks()
		for {
			select {
			case <-ctx.Done():
				return
			case <-work:
			}
		}
	}()
}

// forgottenChannel hands on the channel alone, with another one beside it.
func forgottenChannel() {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	quit, done := make(chan struct{}), ctx.Done()
	go func() {
		blocks()
		for n := 0; ; n++ {
			select {
			case <-quit:
				return
			case <-done:
				println(ctx.Err(), n)
			}
		}
	}()
}

// doneNeverClosed looks like a context's, and is the program's own.
func doneNeverClosed() {
	done := make(chan struct{})
	go func() {
		blocks()
		<-done
	}()
}

type service struct {
	name string
	done chan struct{}
}

// Done stands where contexts have theirs.
func (s *service) Done() <-chan struct{} { return s.done }
func (s *service) Close()                { close(s.done) }

type ending interface {
	Close()
	Done() <-chan struct{}
}

//go:noinline
func await(e ending) {
	blocks()
	<-e.Done()
	e.Close()
}

func serviceNeverClosed() { go await(&service{"a", make(chan struct{})}) }

//go:noinline
func serve(s *service, work chan int) {
	blocks()
	for {
		select {
		case <-s.done:
			return
		case <-work:
			s.name += "!"
		}
	}
}

func selectNeverClosed() { go serve(&service{"b", make(chan struct{})}, make(chan int)) }

// oneOrNone asks whether the channel was closed, once.
func oneOrNone() {
	c := make(chan int)
	go func() {
		blocks()
		if v, ok := <-c; ok {
			println(v)
		}
	}()
}

// rangeLoop is a range by another name.
func rangeLoop() {
	c := make(chan int)
	go func() {
		blocks()
		for {
			v, ok := <-c
			if !ok {
				return
			}
			println(v)
		}
	}()
}

// firstWins: the buffer has room for the first answer, and nobody takes the second.
func firstWins() {
	c := make(chan error, 1)
	c <- nil
	go answer(c)
}

//go:noinline
func answer(c chan error) {
	blocks()
	c <- io.EOF
}

// generator: its consumer stopped early.
func generator() {
	c := make(chan int)
	go func() {
		blocks()
		for i := 0; ; i++ {
			c <- i
		}
	}()
}

// crowd sends to one channel.
func crowd() {
	c := make(chan int)
	for i := 0; i < 3; i++ {
		go func() {
			blocks()
			c <- 1
		}()
	}
}

// eitherSend has two sends, of which it comes by one.
func eitherSend() {
	c := make(chan error, 1)
	c <- nil
	go either(c, len(os.Args) > 100)
}

//go:noinline
func either(c chan error, which bool) {
	blocks()
	if which {
		c <- nil
	} else {
		c <- io.EOF
	}
}

func doubleSend() {
	c := make(chan error, 1)
	go func() {
		c <- nil
		blocks()
		c <- io.EOF
	}()
}

// secondResult comes after one that was received: its channel has no buffer.
func secondResult() {
	c := make(chan error)
	go func() {
		if err := fails(); err != nil {
			c <- err
		}
		blocks()
		c <- nil
	}()
	<-c
}

//go:noinline
func fails() error { return io.EOF }

// afterAnother has sent on another channel before; its result is the only one.
func afterAnother() {
	ready, c := make(chan int), make(chan error)
	go func() {
		ready <- 1
		blocks()
		c <- nil
	}()
	<-ready
}

func nilChannel() {
	var c chan int
	go func() {
		blocks()
		<-c
	}()
}

func selectNothing() {
	go func() {
		blocks()
		select {}
	}()
}

func lockNeverReleased() {
	mu := new(sync.Mutex)
	mu.Lock()
	go func() {
		blocks()
		mu.Lock()
	}()
}

func readLock() {
	mu := new(sync.RWMutex)
	mu.Lock()
	go func() {
		blocks()
		mu.RLock()
	}()
}

func missingDone() {
	wg := new(sync.WaitGroup)
	wg.Add(1)
	go func() {
		blocks()
		wg.Wait()
	}()
}

func missingSignal() {
	c := sync.NewCond(new(sync.Mutex))
	go func() {
		c.L.Lock()
		blocks()
		c.Wait()
	}()
}

// eachOther waits for one that waits for it: only they know their channels.
func eachOther() {
	a, b := make(chan int), make(chan int)
	go func() {
		blocks()
		<-a
		b <- 1
	}()
	go func() {
		blocks()
		<-b
		a <- 1
	}()
}

// chain waits for one that leaks.
func chain() {
	a, b := make(chan int), make(chan int)
	go func() {
		blocks()
		b <- <-a
	}()
	go func() {
		blocks()
		<-b
	}()
}

type server struct {
	jobs    chan int
	done    chan struct{}
	mu      sync.Mutex
	ready   *sync.Cond
	workers sync.WaitGroup
}

var (
	running   *server
	requests  = make(chan int)
	config    sync.RWMutex
	results   = map[string]chan int{}
	toBeFired = make(chan int)
)

func pool() {
	running = &server{jobs: make(chan int), done: make(chan struct{})}
	running.ready = sync.NewCond(&running.mu)
	running.workers.Add(1)
	for i := 0; i < 20; i++ {
		go func() {
			blocks()
			for j := range running.jobs {
				_ = j
			}
		}()
	}
	go func() {
		blocks()
		select {
		case <-running.done:
		case r := <-requests:
			_ = r
		}
	}()
	go func() {
		running.mu.Lock()
		blocks()
		running.ready.Wait()
		running.mu.Unlock()
	}()
	go func() {
		blocks()
		running.workers.Wait()
	}()
}

// byTime waits for timers: for a channel of one, and for what one of them will call.
func byTime() {
	go func() {
		blocks()
		<-time.After(time.Hour)
	}()
	go func() {
		c := make(chan int)
		time.AfterFunc(time.Hour, func() { c <- 1 })
		blocks()
		<-c
	}()
	ticker := time.NewTicker(time.Hour)
	go func() {
		blocks()
		for range ticker.C {
		}
	}()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		blocks()
		<-ctx.Done()
	}()
	go func() {
		blocks()
		time.Sleep(time.Hour)
	}()
}

// bySomeone waits for one that sleeps, for one of a chain to that, and for what a map holds.
func bySomeone() {
	a, b := make(chan int), make(chan int)
	go func() {
		blocks()
		time.Sleep(time.Hour)
		a <- 1
	}()
	go func() {
		blocks()
		b <- <-a
	}()
	go func() {
		blocks()
		<-b
	}()
	c := make(chan int)
	results["c"] = c
	go func() {
		blocks()
		<-c
	}()
	config.Lock()
	go func() {
		blocks()
		config.RLock()
	}()
}

// many wait at one place, each for a channel of its own that a package variable knows.
func many() {
	for i := 0; i < each; i++ {
		c := make(chan int)
		results[strconv.Itoa(i)] = c
		go func() {
			saying.Lock()
			said.Many = append(said.Many, goid())
			saying.Unlock()
			blocks()
			<-c
		}()
	}
}

var (
	parent       context.Context
	cancelParent context.CancelFunc
)

// manyContexts are known to a context that lives, which may end them all.
func manyContexts() {
	parent, cancelParent = context.WithCancel(context.Background())
	for i := 0; i < each; i++ {
		ctx, cancel := context.WithCancel(parent)
		_ = cancel
		go func() {
			saying.Lock()
			said.Many = append(said.Many, goid())
			saying.Unlock()
			blocks()
			<-ctx.Done()
		}()
	}
}

type closer struct{ c chan int }

// byFinalizer waits for what a finalizer will close.
func byFinalizer() {
	f := &closer{make(chan int)}
	runtime.SetFinalizer(f, func(f *closer) { close(f.c) })
	held = f
	c := f.c
	go func() {
		blocks()
		<-c
	}()
}

// link is a connection that somebody watches until it is closed.
type link struct {
	conn net.Conn
	done chan int
}

var links []*link

func (l *link) watch() {
	blocks()
	<-l.done
	l.conn.Close()
}

// manyConnections have a goroutine each, which waits as long as they are open.
func manyConnections() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	for i := 0; i < each; i++ {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			panic(err)
		}
		links = append(links, &link{conn, make(chan int)})
		go links[i].watch()
	}
}

// manyRequests hang, each at a channel of its own. The server that they have in hand knows all
// connections, and none of these is theirs.
func manyRequests() {
	s := &struct{ links []*link }{links}
	for i := 0; i < each; i++ {
		c := make(chan int)
		results["request "+strconv.Itoa(i)] = c
		go func() {
			saying.Lock()
			said.Many = append(said.Many, goid())
			saying.Unlock()
			blocks()
			<-c
			runtime.KeepAlive(s)
		}()
	}
}

var held *closer

// profile asks the runtime, where it knows.
func profile() {
	p := pprof.Lookup("goroutineleak")
	if p == nil {
		return
	}
	said.Profiled = true
	if err := p.WriteTo(io.Discard, 1); err != nil {
		panic(err)
	}
	text := make([]byte, 4<<20)
	seen := string(text[:runtime.Stack(text, true)])
	for _, m := range regexp.MustCompile(`(?m)^goroutine (\d+) [^\n]*leaked`).FindAllStringSubmatch(seen, -1) {
		id, _ := strconv.Atoi(m[1])
		said.Profile = append(said.Profile, id)
	}
}

func main() {
	if len(os.Args) < 2 || os.Args[1] != "healthy" {
		leaks("premature return", 1, prematureReturn)
		leaks("missing sender", 1, missingSender)
		leaks("pipe without a reader", 1, pipeWriter)
		leaks("pipe without a writer", 1, pipeReader)
		leaks("pipe without its other end", 1, netPipe)
		leaks("pool never closed", 1, poolDropped)
		leaks("transaction never ended", 1, transactionDropped)
		leaks("range over a channel never closed", 1, rangeNeverClosed)
		leaks("forgotten context", 1, forgottenContext)
		leaks("forgotten context", 1, forgottenWatch)
		leaks("forgotten context", 1, forgottenCause)
		leaks("forgotten context", 1, forgottenLoop)
		leaks("forgotten context", 1, forgottenChannel)
		leaks("missing sender", 1, doneNeverClosed)
		leaks("missing sender", 1, serviceNeverClosed)
		leaks("done channel never closed", 1, selectNeverClosed)
		leaks("missing sender", 1, oneOrNone)
		leaks("range over a channel never closed", 1, rangeLoop)
		leaks("missing receiver", 1, firstWins)
		leaks("missing receiver", 1, generator)
		leaks("missing receiver", 3, crowd)
		leaks("missing receiver", 1, eitherSend)
		leaks("double send", 1, doubleSend)
		leaks("double send", 1, secondResult)
		leaks("premature return", 1, afterAnother)
		leaks("wait that nothing ends", 1, nilChannel)
		leaks("wait that nothing ends", 1, selectNothing)
		leaks("lock never released", 1, lockNeverReleased)
		leaks("lock never released", 1, readLock)
		leaks("missing Done", 1, missingDone)
		leaks("missing Signal", 1, missingSignal)
		leaks("missing sender", 2, eachOther)
		leaks("missing sender", 2, chain)
		lives(each, many)
		lives(each, manyContexts)
		lives(each, manyConnections)
		lives(each, manyRequests)
	}
	lives(23, pool)
	lives(5, byTime)
	lives(5, bySomeone)
	lives(1, byFinalizer)
	lives(1, transactionKept)
	profile()
	for i := 0; i < 2; i++ {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	json.NewEncoder(os.Stdout).Encode(&said)
	if len(os.Args) > 2 && os.Args[2] == "stay" {
		<-never
	}
	runtime.LockOSThread()
	truth.Abort()
}
