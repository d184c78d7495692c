// A program with a module from the proxy, for tests/functional/test_conns.py.
module goheap.test/programs/thirdparty/ownhttp2

go 1.22

require golang.org/x/net v0.23.0

require golang.org/x/text v0.14.0 // indirect
