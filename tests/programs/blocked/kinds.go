// SPDX-License-Identifier: Apache-2.0

package main

// #cgo LDFLAGS: -lresolv
// int ask_nobody(int port);
// int full_terminal(char *name, int size);
import "C"

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"
)

// kind is what some threads are blocked in.
type kind struct {
	Count      int
	State      string
	Call       string
	Kind, Path string // "": not known from memory
	Live       string // path, or peer, of the process that runs; "": as in Path
	LiveKind   string // "": as in Kind
	Fd         int    // -1: none, or any
}

var numbers = map[string]int{"poll": syscall.SYS_POLL, "flock": syscall.SYS_FLOCK, "openat": syscall.SYS_OPENAT,
	"wait4": syscall.SYS_WAIT4, "recvfrom": syscall.SYS_RECVFROM, "write": syscall.SYS_WRITE,
	"read": syscall.SYS_READ}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// resolve asks, by the C library, a server that never answers: this thread's resolver knows no other.
func resolve(port int) {
	runtime.LockOSThread()
	if C.ask_nobody(C.int(port)) != 0 {
		panic("no resolver")
	}
	started.Add(1)
	r := net.Resolver{}
	r.LookupHost(context.Background(), "nobody.invalid.")
}

func lock(path string) {
	f, err := os.Open(path)
	check(err)
	started.Add(1)
	syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
}

func openFifo(path string) {
	started.Add(1)
	syscall.Open(path, syscall.O_RDONLY, 0)
}

func waitFor(pid int) {
	started.Add(1)
	syscall.Wait4(pid, nil, 0, nil)
}

func receive(fd int) {
	started.Add(1)
	syscall.Recvfrom(fd, make([]byte, 1), 0)
}

func sendRaw(fd int) {
	b := make([]byte, 1)
	started.Add(1)
	syscall.Syscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1)
}

func readFifo(fd int) {
	started.Add(1)
	syscall.Read(fd, make([]byte, 1))
}

func readFile(f *os.File) {
	started.Add(1)
	syscall.Read(int(f.Fd()), make([]byte, 1))
	runtime.KeepAlive(f)
}

func terminal() (fd int, name string) {
	var text [64]C.char
	fd = int(C.full_terminal(&text[0], 64))
	if fd < 0 {
		panic("no terminal")
	}
	return fd, C.GoString(&text[0])
}

var kept []any

// connected returns a descriptor that package net does not know, and what it is.
func connected() (fd int, what string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	check(err)
	to := l.Addr().(*net.TCPAddr)
	check(syscall.Connect(fd, &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte{127, 0, 0, 1}}))
	c, err := l.Accept()
	check(err)
	kept = append(kept, l, c)
	return fd, "tcp " + c.RemoteAddr().String() + " -> " + to.String()
}

// blockDNS has its own clause of the statement: the resolver's sockets are the C library's.
func blockDNS(s *statement, n int) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	kept = append(kept, server)
	for i := 0; i < n; i++ {
		go resolve(server.LocalAddr().(*net.UDPAddr).Port)
	}
	s.Kinds = append(s.Kinds, kind{n, "cgo", "poll", "DNS", "", "", "", -1})
}

func blockInKinds(s *statement) {
	dir, err := os.MkdirTemp("", "blocked")
	check(err)
	dir, err = filepath.EvalSymlinks(dir)
	check(err)
	locked := filepath.Join(dir, "locked")
	fifo, other := filepath.Join(dir, "fifo"), filepath.Join(dir, "other")
	check(os.WriteFile(locked, nil, 0o600))
	check(syscall.Mkfifo(fifo, 0o600))
	check(syscall.Mkfifo(other, 0o600))
	n := 0
	add := func(k kind, f func()) {
		for i := 0; i < k.Count; i++ {
			go f()
		}
		n += k.Count
		s.Kinds = append(s.Kinds, k)
	}
	blockDNS(s, 3)
	n += 3
	holder, err := os.Open(locked)
	check(err)
	check(syscall.Flock(int(holder.Fd()), syscall.LOCK_EX))
	kept = append(kept, holder)
	add(kind{2, "syscall", "flock", "file lock", locked, "", "", -1},
		func() { lock(locked) })
	add(kind{2, "syscall", "openat", "file system", "", "", "", -1},
		func() { openFifo(fifo) })
	sleeper := exec.Command("sleep", "600")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(sleeper.Start())
	add(kind{1, "syscall", "wait4", "child process", "", "", "", -1},
		func() { waitFor(sleeper.Process.Pid) })
	socket, peers := connected()
	add(kind{2, "syscall", "recvfrom", "network", "", peers, "", socket},
		func() { receive(socket) })
	tty, name := terminal()
	add(kind{2, "syscall", "write", "write", "", name, "file write", tty},
		func() { sendRaw(tty) })
	raw, err := syscall.Open(other, syscall.O_RDWR, 0)
	check(err)
	add(kind{2, "syscall", "read", "read", "", other, "file read", raw},
		func() { readFifo(raw) })
	r, w, err := os.Pipe() // package os knows it, the goroutine that reads does not
	check(err)
	fd := int(r.Fd())
	kept = append(kept, r, w)
	add(kind{2, "syscall", "read", "pipe read", "|0", "", "", fd},
		func() { readFifo(fd) })
	settle(n)
	for _, k := range s.Kinds {
		arrive(k.Count, numbers[k.Call], k.Fd)
	}
	if os.Args[len(os.Args)-1] != "stay" {
		os.RemoveAll(dir)
	}
}
