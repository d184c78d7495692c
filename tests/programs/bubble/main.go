// SPDX-License-Identifier: Apache-2.0

// Timers in a synctest bubble, whose clock stands still while anything in it runs, beside real ones.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"goheap.test/programs/abort"
)

// Stated is one timer of the bubble.
type Stated struct {
	Kind     string
	When     int64 // by the bubble's clock
	Period   int64
	Callback string // what its name begins with
	Verdict  string
	Owner    string
}

var (
	stated  []Stated
	timers  []*time.Timer
	tickers []*time.Ticker
	held    context.Context
	cancel  context.CancelFunc
	real    []*time.Timer
	sum     int
)

func state(kind string, after, period time.Duration, callback, verdict, owner string) {
	stated = append(stated, Stated{kind, time.Now().Add(after).UnixNano(), int64(period), callback, verdict, owner})
}

func sleeping(d time.Duration) { time.Sleep(d) }

func receiving(c <-chan time.Time) {
	for range c {
		sum++
	}
}

// inBubble dies in the bubble, after half an hour by its clock.
func inBubble() {
	for i := 1; i <= 20; i++ {
		d := time.Duration(i) * time.Hour
		state("Sleep", d, 0, "", "unstoppable, in use", "main.inBubble")
		go sleeping(d)
		state("AfterFunc", d+time.Minute, 0, "main.inBubble.", "held", "main.timers")
		timers = append(timers, time.AfterFunc(d+time.Minute, func() { sum++ }))
	}
	for i := 1; i <= 10; i++ {
		d := time.Duration(i)*time.Hour + time.Second
		state("Ticker", d, d, "", "held", "main.tickers")
		t := time.NewTicker(d)
		tickers = append(tickers, t)
		go receiving(t.C)
		state("Timer", d, 0, "", "unstoppable, in use", "main.inBubble")
		go receiving(time.After(d))
	}
	state("context", 3*time.Hour, 0, "context.", "held", "main.cancel and main.held")
	held, cancel = context.WithTimeout(context.Background(), 3*time.Hour)
	time.Sleep(30 * time.Minute)
	text, err := json.Marshal(map[string]any{"now": time.Now().UnixNano(), "stated": stated, "real": len(real)})
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, string(text))
	abort.InSyscall()
}

func main() {
	for i := 0; i < 3; i++ {
		real = append(real, time.AfterFunc(time.Hour, func() { sum++ }))
	}
	run(inBubble)
}
