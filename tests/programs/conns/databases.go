// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"runtime"
	"sync"
	"time"
)

const (
	nTaken  = 11 // connections of the first pool
	nGiven  = 3  // of these, back into it
	nParked = 2  // only a timer has these

	nTx     = 2 // of the second one: each has a connection
	nLost   = 1 // transactions that nobody has any more
	nRows   = 2
	nInHand = 3
	nQueued = 4
	nStmts  = 5
	nEnded  = 6 // of each kind

	nDropped = 4 // rows of the third one that nobody closed, or has any more
)

type fake struct{}

func (fake) Connect(context.Context) (driver.Conn, error) { return &fakeConn{}, nil }
func (fake) Driver() driver.Driver                        { return nil }

type fakeConn struct{ n int }

func (*fakeConn) Prepare(string) (driver.Stmt, error) { return fakeStmt{}, nil }
func (*fakeConn) Close() error                        { return nil }
func (*fakeConn) Begin() (driver.Tx, error)           { return fakeTx{}, nil }

type fakeTx struct{}

func (fakeTx) Commit() error   { return nil }
func (fakeTx) Rollback() error { return nil }

type fakeStmt struct{}

func (fakeStmt) Close() error                               { return nil }
func (fakeStmt) NumInput() int                              { return 0 }
func (fakeStmt) Exec([]driver.Value) (driver.Result, error) { return driver.ResultNoRows, nil }
func (fakeStmt) Query([]driver.Value) (driver.Rows, error)  { return &fakeRows{left: 3}, nil }

type fakeRows struct{ left int }

func (*fakeRows) Columns() []string { return []string{"n"} }
func (*fakeRows) Close() error      { return nil }
func (r *fakeRows) Next(to []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	to[0] = int64(r.left)
	return nil
}

var (
	database *sql.DB
	taken    []*sql.Conn
	shop     *sql.DB
	txs      []*sql.Tx
	rows     []*sql.Rows
	stmts    []*sql.Stmt
	drained  *sql.DB
	prepared *sql.Stmt
	inHand   sync.WaitGroup
	queued   sync.WaitGroup
	enough   = make(chan int)
)

func begin() *sql.Tx {
	tx, err := shop.Begin()
	check(err)
	return tx
}

func query() *sql.Rows {
	r, err := shop.Query("select n")
	check(err)
	return r
}

func prepare() *sql.Stmt {
	s, err := shop.Prepare("select n")
	check(err)
	return s
}

// holdRows has rows in hand.
func holdRows() {
	r := query()
	r.Next()
	inHand.Done()
	<-enough
	r.Close()
	queued.Done()
	runtime.KeepAlive(r)
}

func wait() {
	if c, err := shop.Conn(context.Background()); err == nil {
		c.Close()
	}
	queued.Done()
}

// end does all of it, and gives back what it took.
func end() {
	for i := 0; i < nEnded; i++ {
		tx := begin()
		s, err := tx.Prepare("select n")
		check(err)
		r, err := s.Query()
		check(err)
		check(r.Close())
		if i%2 == 0 {
			check(tx.Commit())
		} else {
			check(tx.Rollback())
		}
		for r := query(); r.Next(); { // to the end: closes itself
		}
		check(prepare().Close())
	}
}

// park gives it to a timer that nobody can stop.
//
//go:noinline
func park(c *sql.Conn) {
	time.AfterFunc(100*time.Hour, func() { c.Close() })
}

func databases() {
	database = sql.OpenDB(fake{})
	database.SetMaxIdleConns(5)
	for i := 0; i < nTaken; i++ {
		c, err := database.Conn(context.Background())
		check(err)
		switch {
		case i < nGiven:
			defer c.Close()
		case i < nTaken-nParked || closing:
			taken = append(taken, c)
		default:
			park(c)
		}
	}
	states("sql.Conn", "main.taken", nTaken-nGiven-nParked, 0)
	states("sql.Conn", "timer main.park.func1", nParked, 0)
	shared("sql.DB", "main.database", "main.taken", "timer main.park.func1",
		"goroutines started in database/sql.OpenDB")
	said.Pools = append(said.Pools, pool{nTaken, nTaken - nGiven, nGiven, 0, 0, 0})
	shopping()
	draining()
}

func shopping() {
	shop = sql.OpenDB(fake{})
	n := nTx + nLost + nRows + nInHand
	shop.SetMaxOpenConns(n)
	for i := 0; i < nStmts; i++ {
		stmts = append(stmts, prepare())
	}
	end()
	for i := 0; i < nTx; i++ {
		txs = append(txs, begin())
	}
	for i := 0; i < nLost; i++ {
		if tx := begin(); closing {
			txs = append(txs, tx)
		}
	}
	for i := 0; i < nRows; i++ {
		rows = append(rows, query())
	}
	inHand.Add(nInHand)
	queued.Add(nQueued + nInHand)
	for i := 0; i < nInHand; i++ {
		go holdRows()
	}
	inHand.Wait()
	for i := 0; i < nQueued; i++ {
		go wait()
	}
	for shop.Stats().WaitCount < nQueued {
		time.Sleep(time.Millisecond)
	}
	states("sql.Tx", "", nTx+nLost, 0)
	states("sql.Tx", "goroutines started in database/sql.(*DB).beginDC", nLost, 0)
	shared("sql.Tx", "goroutines started in database/sql.(*DB).beginDC")
	shared("sql.Tx", "main.txs", "goroutines started in database/sql.(*DB).beginDC")
	states("sql.Rows", "main.rows", nRows, 0)
	states("sql.Rows", "goroutines of main.holdRows", nInHand, nInHand)
	states("sql.Stmt", "", nStmts+1, 0) // draining prepares one
	everybody := []string{"main.shop", "main.txs", "main.rows", "main.stmts",
		"goroutines of main.holdRows", "goroutines of main.wait",
		"goroutines started in database/sql.(*DB).beginDC",
		"goroutines started in database/sql.OpenDB"}
	shared("sql.Stmt", everybody...)
	shared("sql.DB", everybody...)
	said.Pools = append(said.Pools, pool{n, n, 0, nQueued, n, 0})
}

// draining drops rows that were not read to their end. Who prepared the statement knows their
// connections, and can not give them back.
func draining() {
	drained = sql.OpenDB(fake{})
	var err error
	prepared, err = drained.Prepare("select n")
	check(err)
	dropped := make(chan int)
	go func() {
		defer close(dropped)
		for i := 0; i < nDropped; i++ {
			dropRow(nil)
		}
		c, err := drained.Conn(context.Background()) // one that comes back
		check(err)
		dropRow(c)
		check(c.Close())
	}()
	<-dropped
	everybody := []string{"main.drained", "main.prepared",
		"goroutines started in database/sql.OpenDB"}
	shared("sql.Stmt", everybody...)
	shared("sql.DB", everybody...)
	said.Pools = append(said.Pools, pool{nDropped + 2, nDropped, 2, 0, 0, nDropped})
}

//go:noinline
func dropRow(c *sql.Conn) {
	r, err := prepared.Query()
	check(err)
	r.Next()
	if c != nil || closing {
		check(r.Close())
	}
}

func closeDatabases() {
	close(enough)
	for _, tx := range txs {
		check(tx.Rollback())
	}
	for _, r := range rows {
		check(r.Close())
	}
	for _, s := range stmts {
		check(s.Close())
	}
	queued.Wait()
	for _, c := range taken {
		c.Close()
	}
	shop.Close()
	check(prepared.Close())
	drained.Close()
	database.Close()
}
