module goheap.test/benchheap

go 1.21
